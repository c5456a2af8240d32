"""Rows for the wire: the only place that turns ticks, bars and phases into JSON.

Every function takes scaled integers and the instrument they belong to; prices, sizes and money
become decimal strings, times RFC 3339 UTC, and what is not known null. Feed, pages, socket and API
all send these rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Protocol

from market.ticks import Level, PhaseTick, Print, Quote, Reference
from simgame.kernel import clock, money

JSON = dict[str, Any]


class Facts(Protocol):
    """What is needed to read an instrument's numbers. `market.models.Instrument` has it all."""

    symbol: str
    currency: str
    price_exponent: int
    qty_exponent: int
    multiplier: int


class DayFacts(Protocol):
    """Statistics of one instrument on the running day, scaled; 0 means none yet (`market.feed.state.Day`)."""

    open: int
    high: int
    low: int
    last: int
    last_size: int
    volume: int
    turnover: int  # sum of price · size, both scaled


def price(facts: Facts, scaled: int) -> str | None:
    """The decimal string; null for 0, which no price is."""
    return money.show(scaled, facts.price_exponent) if scaled else None


def size(facts: Facts, scaled: int) -> str:
    return money.show_trimmed(scaled, facts.qty_exponent)


def turnover(facts: Facts, scaled: int) -> str:
    """Sum of price · size as money of the instrument's currency, rounded down to its minor unit."""
    exponent = money.CURRENCY_EXPONENT[facts.currency]
    shift = facts.price_exponent + facts.qty_exponent - exponent
    return money.show(money.rescale_down(scaled * facts.multiplier, shift), exponent)


def quote_row(
    facts: Facts,
    quote: Quote | None,
    day: DayFacts | None,
    reference: Reference | None,
    trade: Print | None = None,
) -> JSON:
    """QuoteRow: best bid and ask, last trade, the day's figures. Any part may be unknown.

    `trade`: the last one. `at` and `source` are those of the newer of it and `quote`; `seq` is the newest.
    """
    newest: Quote | Print | None = quote
    if trade is not None and (quote is None or trade.seq > quote.seq):
        newest = trade
    bid, bid_size = quote.bids[0] if quote and quote.bids else (0, 0)
    ask, ask_size = quote.asks[0] if quote and quote.asks else (0, 0)
    return {
        "symbol": facts.symbol,
        "bid": price(facts, bid),
        "bid_size": size(facts, bid_size) if bid else None,
        "ask": price(facts, ask),
        "ask_size": size(facts, ask_size) if ask else None,
        "last": price(facts, day.last) if day else None,
        "last_size": size(facts, day.last_size) if day and day.last_size else None,
        "open": price(facts, day.open) if day else None,
        "high": price(facts, day.high) if day else None,
        "low": price(facts, day.low) if day else None,
        "previous_close": price(facts, reference.previous_close) if reference else None,
        "settlement": price(facts, reference.settlement) if reference else None,
        "volume": size(facts, day.volume if day else 0),
        "turnover": turnover(facts, day.turnover if day else 0),
        "limit_low": price(facts, reference.limit_low) if reference else None,
        "limit_high": price(facts, reference.limit_high) if reference else None,
        "at": clock.rfc3339(newest.at_ns) if newest else None,
        "source": newest.source if newest else None,
        "made": quote.made if quote else False,
        "seq": max(newest.seq if newest else 0, reference.seq if reference else 0),
    }


def depth_row(facts: Facts, quote: Quote) -> JSON:
    """DepthRow: best level first, [price, size]."""
    return {
        "symbol": facts.symbol,
        "bids": _levels(facts, quote.bids),
        "asks": _levels(facts, quote.asks),
        "at": clock.rfc3339(quote.at_ns),
        "source": quote.source,
        "made": quote.made,
        "seq": quote.seq,
    }


def _levels(facts: Facts, levels: Iterable[Level]) -> list[tuple[str, str]]:
    prices, sizes = facts.price_exponent, facts.qty_exponent
    return [_level(at, amount, prices, sizes) for at, amount in levels]


@lru_cache(65_536)  # from one row to the next most levels of a book stay
def _level(at: int, amount: int, price_exponent: int, qty_exponent: int) -> tuple[str, str]:
    return money.show(at, price_exponent), money.show_trimmed(amount, qty_exponent)


def trade_row(facts: Facts, print_: Print) -> JSON:
    """TradeRow; `side` is the taker's, "" when unknown; `made`: a stated rule made up its way or its time."""
    return {
        "symbol": facts.symbol,
        "price": money.show(print_.price, facts.price_exponent),
        "size": size(facts, print_.size),
        "side": print_.side,
        "at": clock.rfc3339(print_.at_ns),
        "made": print_.made,
        "seq": print_.seq,
    }


def bar_row(
    facts: Facts, start: int, corners: tuple[int, int, int, int], volume: int, *, partial: bool = False
) -> JSON:
    """BarRow; `start` in Unix seconds of world time, `corners` = (open, high, low, close)."""
    opened, high, low, close = (money.show(value, facts.price_exponent) for value in corners)
    return {
        "t": start,
        "o": opened,
        "h": high,
        "l": low,
        "c": close,
        "v": size(facts, volume),
        "partial": partial,
    }


def phase_row(world: str, timezone: str, tick: PhaseTick) -> JSON:
    """PhaseRow: the world's clock and what the venue allows."""
    return {
        "world": world,
        "market_day": day_text(tick.market_day),
        "phase": str(tick.phase),
        "next_phase": str(tick.next_phase) or None,
        "next_change": clock.rfc3339(tick.next_change_ns) if tick.next_change_ns else None,
        "now": clock.rfc3339(tick.at_ns),
        "speed": tick.speed,
        "paused": tick.paused,
        "note": tick.note,
        "timezone": timezone,
    }


def day_text(market_day: int) -> str:
    """20261102 → "2026-11-02"."""
    return f"{market_day // 10_000:04}-{market_day // 100 % 100:02}-{market_day % 100:02}"


def day_number(text: str) -> int:
    """ "2026-11-02" → 20261102."""
    return int(text.replace("-", ""))


def board(rows: Mapping[str, JSON], symbols: Iterable[str]) -> dict[str, JSON]:
    """The rows of these symbols, as far as there are any."""
    return {symbol: rows[symbol] for symbol in symbols if symbol in rows}
