"""Rows of `market.messages` from the feed's state. Pure."""

from __future__ import annotations

from market.feed.bars import Bar
from market.feed.state import WorldState
from market.messages import JSON, Facts, bar_row, quote_row


def quote(facts: Facts, state: WorldState) -> JSON:
    """QuoteRow with the day's figures; its `seq` rises with every quote and every trade in it."""
    symbol = facts.symbol
    row = quote_row(facts, state.quotes.get(symbol), state.days.get(symbol), state.references.get(symbol))
    trades = state.trades.get(symbol)
    if trades:
        row["seq"] = max(row["seq"], trades[-1].seq)
    return row


def bar(facts: Facts, bar: Bar) -> JSON:
    corners = (bar.open, bar.high, bar.low, bar.close)
    return bar_row(facts, bar.start, corners, bar.volume, partial=bar.partial)
