"""What a market said before: quotes and trades, read back from the feed's write-ahead log.

The log is the only place that keeps every tick, and it keeps them for hours, not for years: the
segments that the feed has not packed yet (WAL_COMPRESS_HOURS) can be asked for, older ones are gone.
A page is bounded by what is read as well as by what is found: it may be empty and still have a next
one, and nobody's question holds a worker for longer than READ_BYTES_MAX takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from django.conf import settings

from market import messages, pages, shapes
from market.feed import wal
from market.messages import JSON
from market.models import Instrument, World
from market.ticks import Print, Quote, Tick
from simgame.kernel import clock
from simgame.kernel.errors import Invalid

READ_BYTES_MAX: Final = 4 * 1024 * 1024  # a fifth of a second of processor
NAME: Final = r"^[0-9]{8}T[0-9]{2}\.wal\Z"
Whole = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Position = tuple[Annotated[str, msgspec.Meta(pattern=NAME)], Whole, Whole]  # segment, offset, nth tick


class Wanted(msgspec.Struct, frozen=True):
    """Ticks of one kind. Times in nanoseconds of world time, both inclusive."""

    kind: type[Quote] | type[Print]
    start_ns: int | None
    end_ns: int | None
    limit: int
    sort: str
    page_token: str


def page(world: World, rows: list[Instrument], wanted: Wanted) -> tuple[dict[str, list[JSON]], str | None]:
    """(symbol → quotes or trades in Alpaca's shape, next page token), in the order they were said.

    Symbols come mixed, each in its own order: whoever appends page to page has what they asked for.
    """
    if wanted.sort == pages.NEWEST:
        raise Invalid("Quotes and trades are read forwards: sort=asc.", pointer="/sort")
    by_symbol = {row.symbol: row for row in rows}
    found: dict[str, list[JSON]] = {}
    count = 0
    for tick, here in _ticks(world, wanted):
        if tick is None or count >= wanted.limit:
            return found, pages.token(*here)
        if type(tick) is not wanted.kind or tick.symbol not in by_symbol or not _within(tick.at_ns, wanted):
            continue
        found.setdefault(tick.symbol, []).append(_shown(by_symbol[tick.symbol], tick))
        count += 1
    return found, None


def _ticks(world: World, wanted: Wanted) -> Iterator[tuple[Any, tuple[str, int, int]]]:
    """(tick, where it stands) from the wanted place on; (None, where to go on) when enough was read."""
    folder = settings.WAL_DIR / world.slug
    start: tuple[str, int, int] = ("", 0, 0)
    if wanted.page_token:
        start = pages.position(wanted.page_token, Position)
    read = 0
    for path in _segments(folder, world, wanted, start[0]):
        offset, skip = start[1:] if path.name == start[0] else (0, 0)
        for record in wal.scan(path, offset):
            if not isinstance(record, wal.Record):
                continue  # the feed's own business: `recover` tells of it
            if read > READ_BYTES_MAX:
                yield None, (path.name, record.offset, 0)
                return
            read += len(record.payload)
            ticks = wal.decode(record.payload)
            for n, tick in enumerate(ticks if isinstance(ticks, list) else ()):
                if n >= skip or record.offset != offset:
                    yield tick, (path.name, record.offset, n)


def _segments(folder: Path, world: World, wanted: Wanted, first: str) -> list[Path]:
    """Those that may hold what is wanted, oldest first.

    A replay's time may have been turned back: there, all of them. In other worlds a segment ends where
    the next one begins.
    """
    there = [path for path in wal.segments(folder) if path.suffix != wal.COMPRESSED and path.name >= first]
    if world.kind == World.Kind.REPLAY or not there:
        return there
    begins = [_begin_ns(path) for path in there]
    ends = [*begins[1:], None]
    return [
        path
        for path, begin, end in zip(there, begins, ends, strict=True)
        if not (end is not None and wanted.start_ns is not None and end < wanted.start_ns)
        and not (wanted.end_ns is not None and begin is not None and begin > wanted.end_ns)
    ]


def _begin_ns(path: Path) -> int | None:
    """World time of a segment's first tick; None when it has none."""
    for record in wal.scan(path):
        written = wal.decode(record.payload) if isinstance(record, wal.Record) else ()
        if isinstance(written, list) and written:
            first: Tick = written[0]
            return first.at_ns
    return None


def _within(at_ns: int, wanted: Wanted) -> bool:
    at_ns -= at_ns % clock.NS_PER_US  # a time that was told, to the microsecond, finds its tick again
    late_enough = wanted.start_ns is None or at_ns >= wanted.start_ns
    return late_enough and (wanted.end_ns is None or at_ns <= wanted.end_ns)


def _shown(row: Instrument, tick: Quote | Print) -> JSON:
    if isinstance(tick, Print):
        return shapes.alpaca_trade(messages.trade_row(row, tick))
    return shapes.alpaca_quote(messages.quote_row(row, tick, None, None))
