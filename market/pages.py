"""Lists in pieces: keyset pages with an opaque token, and the questions that the API asks of them."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Final

import msgspec
from django.db.models import Q

from market import queries, shapes, udf
from market.messages import JSON
from market.models import Bar, Instrument, World
from simgame.kernel import clock
from simgame.kernel.errors import Invalid

Second = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]  # to the end of the year 9999
NEWEST: Final = "desc"
OLDEST: Final = "asc"


def token(*position: Any) -> str:
    """Where the next page begins; means nothing to others."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def position(text: str, kinds: Any) -> Any:
    """What `token` was made of. Raises Invalid."""
    try:
        raw = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
        if b"\\u0000" in raw:
            raise ValueError("no text for PostgreSQL")
        return msgspec.json.decode(raw, type=kinds)
    except (UnicodeEncodeError, binascii.Error, ValueError, msgspec.DecodeError):
        raise Invalid(
            "page_token must be the next_page_token of the page before.", pointer="/page_token"
        ) from None


def instruments(world: World, text: str, limit: int, page_token: str) -> JSON:
    """A page of instruments by symbol."""
    found = queries.search(world, text)
    if page_token:
        (after,) = position(page_token, tuple[str])
        found = found.filter(symbol__gt=after)
    rows = list(found[: limit + 1])
    more = len(rows) > limit
    return {
        "instruments": [shapes.instrument_json(row) for row in rows[:limit]],
        "next_page_token": token(rows[limit - 1].symbol) if more else None,
    }


def searched(world: World, text: str, kind: str, limit: int) -> list[Instrument]:
    """The first instruments that a search finds; `kind` as TradingView names them ("" for all)."""
    rows = queries.search(world, text.partition(":")[2] or text)
    return list((rows.filter(kind__in=udf.kinds(kind)) if kind else rows)[:limit])


def assets(world: World, status: str, asset_class: str) -> list[JSON]:
    """Every instrument as Alpaca's asset: their list has no pages. `status`: active, inactive or all."""
    found = [shapes.alpaca_asset(row) for row in queries.instruments(world.number)]
    return [
        asset for asset in found if status in ("all", asset["status"]) and asset_class in ("", asset["class"])
    ]


class BarsWanted(msgspec.Struct, frozen=True):
    """Which bars Alpaca's clients ask for. Times in nanoseconds of world time, both inclusive."""

    interval: str
    start_ns: int | None
    end_ns: int | None
    limit: int
    sort: str
    page_token: str


def alpaca_bars(rows: list[Instrument], wanted: BarsWanted) -> tuple[dict[str, list[JSON]], str | None]:
    """(symbol → bars, next page token): by symbol, then by time, as Alpaca pages them."""
    by_id = {row.pk: row for row in rows}
    found = Bar.objects.filter(instrument_id__in=by_id, interval=wanted.interval)
    if wanted.start_ns is not None:
        found = found.filter(start__gte=clock.from_ns(wanted.start_ns))
    if wanted.end_ns is not None:
        found = found.filter(start__lte=clock.from_ns(wanted.end_ns))
    falling = wanted.sort == NEWEST
    if wanted.page_token:
        symbol, second = position(wanted.page_token, tuple[str, Second])
        at = clock.from_ns(second * clock.NS_PER_S)
        beyond = Q(start__lt=at) if falling else Q(start__gt=at)
        found = found.filter(Q(instrument__symbol__gt=symbol) | Q(instrument__symbol=symbol) & beyond)
    page = list(found.order_by("instrument__symbol", "-start" if falling else "start")[: wanted.limit + 1])
    bars: dict[str, list[JSON]] = {}
    for bar in page[: wanted.limit]:
        row = by_id[bar.instrument_id]
        bars.setdefault(row.symbol, []).append(shapes.alpaca_bar(row, bar))
    if len(page) <= wanted.limit:
        return bars, None
    last = page[wanted.limit - 1]
    return bars, token(by_id[last.instrument_id].symbol, int(last.start.timestamp()))


def snapshots(world: World, symbols: list[str]) -> dict[str, JSON]:
    """Symbol → Alpaca's snapshot. Raises UnknownInstrument."""
    rows = queries.known(world, symbols)
    names = [row.symbol for row in rows]
    quotes, trades = queries.quotes(world, names), queries.last_trades(world, names)
    return {
        row.symbol: shapes.alpaca_snapshot(trades.get(row.symbol), quotes[row.symbol], _newest_bars(row))
        for row in rows
    }


def _newest_bars(row: Instrument) -> dict[str, JSON]:
    minute = queries.stored_bars(row, Bar.Interval.M1).order_by("-start")[:1]
    days = queries.stored_bars(row, Bar.Interval.D1).order_by("-start")[:2]
    named = [*(("minute", bar) for bar in minute), *zip(("day", "before"), days, strict=False)]
    return {name: shapes.alpaca_bar(row, bar) for name, bar in named}
