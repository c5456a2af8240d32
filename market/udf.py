"""Rows in the dress of TradingView's UDF, the protocol of their charting library's ready-made adapter.

https://www.tradingview.com/charting-library-docs/latest/connecting_data/UDF. A symbol is named ALB, which
is one of the world that is played, or crypto:BTCUSDT with the world's slug; their "exchange" and "group"
are our world. Prices are JSON numbers there, written from our decimal strings: no float in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

import msgspec

from market import queries, rulebook, worlds
from market.charts import Found
from market.errors import UnknownInstrument
from market.messages import JSON
from market.models import Bar, CorporateAction, Instrument, World
from market.shapes import bar_json
from simgame.kernel import clock

INTERVALS: Final = {"1": "1m", "5": "5m", "15": "15m", "60": "1h", "D": "1d", "1D": "1d"}
RESOLUTIONS: Final = ["1", "5", "15", "30", "60", "240", "1D", "1W", "1M"]  # they build the rest from ours
MULTIPLIERS: Final = ["1", "5", "15", "60"]
TYPES: Final = {"etf": "fund", "future": "futures", "fx": "forex"}
TIMEZONES: Final = {"UTC": "Etc/UTC"}
TRADED: Final = {rulebook.Phase.CONTINUOUS, rulebook.Phase.AUCTION, rulebook.Phase.AUCTION_LOCKED}
PARTIAL: Final = {"color": "yellow", "label": "P", "labelFontColor": "black", "minSize": 14}
PARTIAL_TEXT: Final = "Built over a gap in the data: this bar is partial."
SYMBOL_INFO: Final = {  # column → what we call it in `symbol`; those without a dash are the same
    **{"symbol": "name", "ticker": "ticker", "description": "description", "type": "type"},
    **{"exchange-listed": "listed_exchange", "exchange-traded": "exchange", "timezone": "timezone"},
    **{"minmovement": "minmov", "minmovement2": "minmove2", "pricescale": "pricescale"},
    **{"has-intraday": "has_intraday", "has-daily": "has_daily", "session-regular": "session"},
    **{"has-weekly-and-monthly": "has_weekly_and_monthly", "visible-plots-set": "visible_plots_set"},
    **{"intraday-multipliers": "intraday_multipliers", "supported-resolutions": "supported_resolutions"},
    **{"volume_precision": "volume_precision", "currency-code": "currency_code"},
}


def config() -> JSON:
    types = [{"name": str(label), "value": _type(kind)} for kind, label in Instrument.Kind.choices]
    exchanges = [{"value": world.slug, "name": world.slug, "desc": world.name} for world in worlds.every()]
    return {
        "supported_resolutions": RESOLUTIONS,
        "supports_search": True,
        "supports_group_request": False,
        "supports_marks": True,
        "supports_timescale_marks": True,
        "supports_time": True,
        "exchanges": [{"value": "", "name": "All worlds", "desc": ""}, *exchanges],
        "symbols_types": [{"name": "All types", "value": ""}, *types],
    }


def named(text: str, played: Callable[[], World]) -> tuple[World, Instrument]:
    """`crypto:BTCUSDT`, or `ALB` of the world that is played. Raises UnknownWorld, UnknownInstrument."""
    slug, colon, symbol = text.partition(":")
    world = worlds.named(slug.lower()) if colon else played()
    if not (symbol or slug):
        raise UnknownInstrument("Name a symbol: symbol=ALB, or symbol=crypto:BTCUSDT.")
    return world, queries.instrument(world, symbol if colon else slug)


def symbol(world: World, row: Instrument) -> JSON:
    """LibrarySymbolInfo."""
    return {
        "name": row.symbol,
        "ticker": ticker(world, row),
        "full_name": ticker(world, row),
        "description": row.name,
        "type": _type(row.kind),
        "session": session(world, row),
        "timezone": TIMEZONES.get(world.timezone, world.timezone),
        "exchange": world.slug,
        "listed_exchange": row.venue or world.slug,
        "minmov": row.tick,
        "minmove2": 0,
        "pricescale": 10**row.price_exponent,
        "has_intraday": True,
        "has_seconds": False,
        "has_daily": True,
        "has_weekly_and_monthly": False,
        "intraday_multipliers": MULTIPLIERS,
        "supported_resolutions": RESOLUTIONS,
        "volume_precision": row.qty_exponent,
        "visible_plots_set": "ohlcv",
        "format": "price",
        "currency_code": row.currency,
        "data_status": "streaming",
    }


def symbol_info(world: World, rows: Iterable[Instrument]) -> JSON:
    """The same as a table of columns; a column in which all rows agree is one value."""
    infos = [symbol(world, row) for row in rows]
    return {column: _column([info[name] for info in infos]) for column, name in SYMBOL_INFO.items()}


def found(world: World, row: Instrument) -> JSON:
    """A line of their symbol search."""
    return {
        "symbol": row.symbol,
        "full_name": ticker(world, row),
        "description": row.name,
        "exchange": world.slug,
        "ticker": ticker(world, row),
        "type": _type(row.kind),
    }


def ticker(world: World, row: Instrument) -> str:
    return f"{world.slug}:{row.symbol}"


def history(row: Instrument, told: Found) -> JSON:
    if not told.bars:
        following = {} if told.next_ns is None else {"nextTime": told.next_ns // clock.NS_PER_S}
        return {"s": "no_data", **following}
    rows = [bar_json(row, bar) for bar in told.bars]
    return {"s": "ok", "t": [bar["t"] for bar in rows]} | {
        column: [number(bar[column]) for bar in rows] for column in "ohlcv"
    }


def marks(bars: Sequence[Bar]) -> JSON:
    """Their table of marks on bars."""
    starts = [int(bar.start.timestamp()) for bar in bars]
    same = {name: [value] * len(starts) for name, value in PARTIAL.items()}
    return {
        "id": [f"partial-{start}" for start in starts],
        "time": starts,
        "text": [PARTIAL_TEXT] * len(starts),
        **same,
    }


def timescale_marks(actions: Sequence[CorporateAction]) -> list[JSON]:
    return [
        {
            "id": action.key,
            "time": int(clock.parse_rfc3339(f"{action.ex_on}T00:00:00Z") // clock.NS_PER_S),
            "color": "blue",
            "label": action.kind[0].upper(),
            "tooltip": [str(action.Kind(action.kind).label), f"ex-date {action.ex_on}"],
        }
        for action in actions
    ]


def quote(asked: str, world: World, row: Instrument, said: JSON) -> JSON:
    """Their QuoteData from a QuoteRow; what is not known is left out."""
    last, before = said["last"], said["previous_close"]
    values: dict[str, Any] = {
        "lp": last,
        "ask": said["ask"],
        "bid": said["bid"],
        "open_price": said["open"],
        "high_price": said["high"],
        "low_price": said["low"],
        "prev_close_price": before,
        "volume": said["volume"],
    }
    if last and before:
        values |= {
            "ch": f"{Decimal(last) - Decimal(before):f}",
            "chp": _percent(Decimal(last), Decimal(before)),
        }
    words = {"short_name": row.symbol, "exchange": world.slug, "description": row.name}
    numbers = {name: number(value) for name, value in values.items() if value is not None}
    return {"s": "ok", "n": asked, "v": words | numbers}


def unknown(asked: str, why: str) -> JSON:
    return {"s": "error", "n": asked, "v": {}, "errmsg": why}


def number(text: str) -> msgspec.Raw:
    """A decimal string as a JSON number, digit for digit."""
    return msgspec.Raw(text.encode())


def session(world: World, row: Instrument) -> str:
    """When the instrument is traded, auctions among it, in their writing: 0930-1130,1300-1500 or 24x7."""
    if world.options.get("hours", "always") != "venue":
        return "24x7"
    book, on = rulebook.load(world.rulebook), rulebook.as_date(queries.rules_day(world))
    held = book.day_of(row, on)
    parts: list[list[str]] = []
    spans = [*held.night, *held.spans]
    for (start, phase), (end, _) in zip(spans, [*spans[1:], ("00:00", "")], strict=True):
        if phase not in TRADED:
            continue
        if parts and parts[-1][1] == start:
            parts[-1][1] = end
        else:
            parts.append([start, end])
    return ",".join(f"{start}-{end}".replace(":", "") for start, end in parts) or "24x7"


def kinds(type_: str) -> list[str]:
    """Our kinds of their type."""
    return [kind for kind in Instrument.Kind.values if _type(kind) == type_]


def _type(kind: str) -> str:
    return TYPES.get(kind, kind)


def _column(values: list[Any]) -> Any:
    return values[0] if values and all(value == values[0] for value in values) else values


def _percent(last: Decimal, before: Decimal) -> str:
    percent = (last - before) * 100 / before
    return str(percent.quantize(Decimal("0.01"), ROUND_HALF_UP))
