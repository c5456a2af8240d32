"""Rows of the feed's own state (`market.messages` makes them). Pure."""

from __future__ import annotations

from market import messages
from market.feed.bars import Bar
from market.feed.state import WorldState
from market.messages import JSON, Facts


def quote_row(facts: Facts, state: WorldState) -> JSON:
    """QuoteRow of an instrument as it stands."""
    symbol = facts.symbol
    trades = state.trades.get(symbol)
    return messages.quote_row(
        facts,
        state.quotes.get(symbol),
        state.days.get(symbol),
        state.references.get(symbol),
        trades[-1] if trades else None,
    )


def bar_row(facts: Facts, bar: Bar) -> JSON:
    """BarRow."""
    corners = (bar.open, bar.high, bar.low, bar.close)
    return messages.bar_row(facts, bar.start, corners, bar.volume, partial=bar.partial)
