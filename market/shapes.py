"""JSON of what lies in the tables: worlds, instruments, bars; and Alpaca's dress for their clients.

Prices, sizes and money are decimal strings, times RFC 3339 UTC, what is not known is null.
Alpaca's data objects have one-letter names (`docs/api/README.md`).
"""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _

from market.charts import Found
from market.messages import JSON, bar_row
from market.models import Bar, Instrument, World
from simgame.kernel import clock, money

# alpaca-py knows a closed list of exchanges; the empty one is in it.
NO_EXCHANGE = ""


def world_json(world: World) -> JSON:
    return {
        "slug": world.slug,
        "number": world.number,
        "name": world.name,
        "kind": world.kind,
        "currency": world.currency,
        "rulebook": world.rulebook,
        "timezone": world.timezone,
    }


def instrument_json(row: Instrument) -> JSON:
    """`tick` and `lot` are decimal strings; the exponents say how many decimals there may be."""
    return {
        "id": str(row.uid),
        "symbol": row.symbol,
        "name": row.name,
        "name_zh": row.name_zh,
        "kind": row.kind,
        "board": row.board,
        "sector": row.sector,
        "currency": row.currency,
        "price_exponent": row.price_exponent,
        "qty_exponent": row.qty_exponent,
        "multiplier": row.multiplier,
        "tick": money.show(row.tick, row.price_exponent),
        "lot": money.show_trimmed(row.lot, row.qty_exponent),
        "special_treatment": row.special_treatment,
        "tradable": row.tradable,
        "why_not_tradable": row.why_not_tradable or None,
        "halted": row.halted,
        "halt_reason": _(row.halt_reason) if row.halt_reason else "",
    }


def bar_json(row: Instrument, bar: Bar) -> JSON:
    corners = (bar.open, bar.high, bar.low, bar.close)
    return bar_row(row, int(bar.start.timestamp()), corners, bar.volume, partial=bar.partial)


def chart_json(row: Instrument, interval: str, found: Found) -> JSON:
    """`next_time`, Unix seconds: without bars here, when the newest earlier one begins."""
    return {
        "symbol": row.symbol,
        "interval": interval,
        "bars": [bar_json(row, bar) for bar in found.bars],
        "no_data": not found.bars,
        "next_time": None if found.next_ns is None else found.next_ns // clock.NS_PER_S,
    }


# --- Alpaca's dress -------------------------------------------------------------------------------


def alpaca_asset(row: Instrument) -> JSON:
    crypto = row.kind == Instrument.Kind.CRYPTO
    return {
        "id": str(row.uid),
        "class": "crypto" if crypto else "us_equity",
        "exchange": NO_EXCHANGE,
        "symbol": row.symbol,
        "name": row.name,
        "status": "active" if row.tradable else "inactive",
        "tradable": row.tradable and not row.halted,
        "marginable": False,
        "shortable": False,
        "easy_to_borrow": False,
        "fractionable": row.qty_exponent > 0,
        "min_order_size": money.show_trimmed(row.lot, row.qty_exponent),
        "min_trade_increment": money.show_trimmed(row.lot, row.qty_exponent),
        "price_increment": money.show(row.tick, row.price_exponent),
        "maintenance_margin_requirement": None,
        "attributes": [],
    }


def alpaca_quote(quote: JSON) -> JSON:
    """From a QuoteRow. A side without quotes is 0, as theirs is."""
    return {
        "t": quote["at"],
        "ax": quote["source"] or "",
        "ap": quote["ask"] or "0",
        "as": quote["ask_size"] or "0",
        "bx": quote["source"] or "",
        "bp": quote["bid"] or "0",
        "bs": quote["bid_size"] or "0",
        "c": [],
        "z": "",
    }


def alpaca_trade(trade: JSON) -> JSON:
    """From a TradeRow."""
    return {
        "t": trade["at"],
        "x": "",
        "p": trade["price"],
        "s": trade["size"],
        "c": [],
        "i": trade["seq"],
        "z": "",
        "tks": {"buy": "B", "sell": "S"}.get(trade["side"], ""),
    }


def alpaca_bar(row: Instrument, bar: Bar) -> JSON:
    """`vw` is the volume-weighted average price, rounded half up to the instrument's decimals."""
    shown = bar_json(row, bar)
    average = money.half_up(int(bar.turnover), bar.volume) if bar.volume else bar.close
    return {
        "t": clock.rfc3339(shown["t"] * clock.NS_PER_S),
        "o": shown["o"],
        "h": shown["h"],
        "l": shown["l"],
        "c": shown["c"],
        "v": shown["v"],
        "n": bar.prints,
        "vw": money.show(average, row.price_exponent),
    }


def alpaca_snapshot(trade: JSON | None, quote: JSON | None, bars: Mapping[str, JSON]) -> JSON:
    """`bars`: Alpaca's, named `minute`, `day` and `before`. What is not known is null."""
    return {
        "latestTrade": alpaca_trade(trade) if trade else None,
        "latestQuote": alpaca_quote(quote) if quote and quote["at"] else None,
        "minuteBar": bars.get("minute"),
        "dailyBar": bars.get("day"),
        "prevDailyBar": bars.get("before"),
    }


def alpaca_clock(now_ns: int, is_open: bool, next_open_ns: int, next_close_ns: int) -> JSON:
    return {
        "timestamp": clock.rfc3339(now_ns),
        "is_open": is_open,
        "next_open": clock.rfc3339(next_open_ns),
        "next_close": clock.rfc3339(next_close_ns),
    }
