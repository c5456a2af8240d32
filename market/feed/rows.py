"""QuoteRow, DepthRow, TradeRow, BarRow, PhaseRow: the only place that makes them. Pure.

Prices, sizes and money are decimal strings, times RFC 3339 UTC, what is not known is null.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from market.feed.bars import Bar
from market.feed.state import Day, WorldState
from market.messages import Facts, price, size, turnover
from market.rulebook import as_date
from market.ticks import Level, PhaseTick, Print, Quote
from simgame.kernel import money
from simgame.kernel.clock import rfc3339

Row = dict[str, Any]
NO_DAY = Day()


def quote_row(facts: Facts, state: WorldState) -> Row:
    """QuoteRow. `seq` is that of the newest tick in it, `at` the world time of its newest quote or trade."""
    symbol = facts.symbol
    quote = state.quotes.get(symbol)
    reference = state.references.get(symbol)
    day = state.days.get(symbol, NO_DAY)
    trades = state.trades.get(symbol)
    newest: Quote | Print | None = quote
    if trades and (quote is None or trades[-1].seq > quote.seq):
        newest = trades[-1]
    bid, bid_size = quote.bids[0] if quote and quote.bids else (0, 0)
    ask, ask_size = quote.asks[0] if quote and quote.asks else (0, 0)
    return {
        "symbol": symbol,
        "bid": price(facts, bid),
        "bid_size": size(facts, bid_size) if bid else None,
        "ask": price(facts, ask),
        "ask_size": size(facts, ask_size) if ask else None,
        "last": price(facts, day.last),
        "last_size": size(facts, day.last_size) if day.last_size else None,
        "open": price(facts, day.open),
        "high": price(facts, day.high),
        "low": price(facts, day.low),
        "previous_close": price(facts, reference.previous_close) if reference else None,
        "settlement": price(facts, reference.settlement) if reference else None,
        "volume": size(facts, day.volume),
        "turnover": turnover(facts, day.turnover),
        "limit_low": price(facts, reference.limit_low) if reference else None,
        "limit_high": price(facts, reference.limit_high) if reference else None,
        "at": rfc3339(newest.at_ns) if newest else None,
        "source": newest.source if newest else None,
        "made": quote.made if quote else False,
        "seq": max(newest.seq if newest else 0, reference.seq if reference else 0),
    }


def depth_row(facts: Facts, quote: Quote) -> Row:
    """DepthRow: best level first, [price, size]."""
    return {
        "symbol": facts.symbol,
        "bids": _levels(facts, quote.bids),
        "asks": _levels(facts, quote.asks),
        "at": rfc3339(quote.at_ns),
        "source": quote.source,
        "made": quote.made,
        "seq": quote.seq,
    }


def trade_row(facts: Facts, trade: Print) -> Row:
    """TradeRow; `side` is the taker's, "" when unknown."""
    return {
        "symbol": facts.symbol,
        "price": money.show(trade.price, facts.price_exponent),
        "size": size(facts, trade.size),
        "side": trade.side,
        "at": rfc3339(trade.at_ns),
        "seq": trade.seq,
    }


def bar_row(facts: Facts, bar: Bar) -> Row:
    """BarRow; `t` in Unix seconds of world time."""
    exponent = facts.price_exponent
    return {
        "t": bar.start,
        "o": money.show(bar.open, exponent),
        "h": money.show(bar.high, exponent),
        "l": money.show(bar.low, exponent),
        "c": money.show(bar.close, exponent),
        "v": size(facts, bar.volume),
        "partial": bar.partial,
    }


def phase_row(slug: str, timezone: str, tick: PhaseTick) -> Row:
    """PhaseRow: the world's clock and what the venue allows."""
    return {
        "world": slug,
        "market_day": as_date(tick.market_day).isoformat(),
        "phase": str(tick.phase),
        "next_phase": str(tick.next_phase) or None,
        "next_change": rfc3339(tick.next_change_ns) if tick.next_change_ns else None,
        "now": rfc3339(tick.at_ns),
        "speed": tick.speed,
        "paused": tick.paused,
        "note": tick.note,
        "timezone": timezone,
    }


def _levels(facts: Facts, levels: Iterable[Level]) -> list[tuple[str, str]]:
    prices, sizes = facts.price_exponent, facts.qty_exponent
    return [_level(at, amount, prices, sizes) for at, amount in levels]


@lru_cache(65_536)  # from one row to the next most levels of a book stay
def _level(at: int, amount: int, price_exponent: int, qty_exponent: int) -> tuple[str, str]:
    return money.show(at, price_exponent), money.show_trimmed(amount, qty_exponent)
