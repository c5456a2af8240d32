"""What the feed reads from and writes to PostgreSQL. Synchronous: the process runs it in one thread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from django.db import connection

from market.feed.bars import Bar
from market.feed.quality import Refused
from market.models import FeedLease, Quarantined
from market.sources.base import PastBar

QUARANTINED_MAX = 10_000  # rows kept per world: enough to look at, bounded for ever


PAST_ROWS = 2_000  # in one statement


class Wanted(msgspec.Struct, frozen=True):
    """What an operator set in the lease."""

    paused: bool
    speed: int


def take_lease(world_number: int, holder: str, address: str, speed: int) -> tuple[int, Wanted]:
    """Become the feed of the world: a new epoch; the feed before us sees it and leaves.

    `speed` is the first one of a world that never had a feed.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO market_feedlease AS lease (world_id, epoch, holder, address, beat_at, paused, speed)"
            " VALUES (%s, 1, %s, %s, now(), false, %s)"
            " ON CONFLICT (world_id) DO UPDATE SET epoch = lease.epoch + 1, holder = excluded.holder,"
            " address = excluded.address, beat_at = now()"
            " RETURNING epoch, paused, speed",
            [world_number, holder, address, speed],
        )
        epoch, paused, speed = cursor.fetchone()
    return epoch, Wanted(paused, speed)


def beat(world_number: int, epoch: int) -> Wanted | None:
    """Still here. None: another feed has taken over."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE market_feedlease SET beat_at = now() WHERE world_id = %s AND epoch = %s"
            " RETURNING paused, speed",
            [world_number, epoch],
        )
        row = cursor.fetchone()
    return Wanted(*row) if row else None


def want(world_number: int, **wanted: Any) -> None:
    """Set the wanted state; the feed obeys within a second."""
    FeedLease.objects.filter(world_id=world_number).update(**wanted)


def write_bars(bars: Sequence[tuple[int, str, Bar]]) -> None:
    """Upsert (instrument id, interval, bar) rows: whoever writes last is right, twice does no harm."""
    columns = list(
        zip(
            *(
                (
                    instrument,
                    interval,
                    bar.start,
                    bar.open,
                    bar.high,
                    bar.low,
                    bar.close,
                    bar.volume,
                    bar.turnover,
                    bar.prints,
                    bar.partial,
                )
                for instrument, interval, bar in bars
            ),
            strict=True,
        )
    )
    if not columns:
        return
    with connection.cursor() as cursor:
        cursor.execute(_UPSERT, [list(column) for column in columns])


def forget_later(newest: Sequence[tuple[int, str, int]]) -> None:
    """After a torn tail: remove bars (instrument id, interval, start) later than these; nobody has their
    ticks."""
    instruments, intervals, starts = ([row[place] for row in newest] for place in range(3))
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM market_bar USING unnest(%s::bigint[], %s::text[], %s::bigint[]) AS x(i, v, s)"
            " WHERE instrument_id = i AND interval = v AND start > to_timestamp(s)",
            [instruments, intervals, starts],
        )


_COLUMNS = "instrument_id, interval, start, open, high, low, close, volume, turnover, prints, partial"
_KEPT = ("open", "high", "low", "close", "volume", "turnover", "prints", "partial")
_UPSERT = (
    f"INSERT INTO market_bar ({_COLUMNS})"
    " SELECT i, v, to_timestamp(s), o, h, l, c, q, t, n, p FROM unnest("
    "%s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],"
    " %s::bigint[], %s::numeric[], %s::int[], %s::bool[]) AS x(i, v, s, o, h, l, c, q, t, n, p)"
    " ON CONFLICT (instrument_id, interval, start) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in _KEPT)
)


def write_past(bars: Iterable[PastBar], ids: dict[str, int]) -> list[PastBar]:
    """Bars from before a source began; returns those whose interval is still running."""
    forming: list[PastBar] = []
    rows: list[tuple[int, str, Bar]] = []
    for past in bars:
        if past.symbol not in ids:
            continue
        rows.append((ids[past.symbol], past.interval, bar_of(past)))
        if not past.closed:
            forming.append(past)
        if len(rows) >= PAST_ROWS:
            write_bars(rows)
            rows = []
    write_bars(rows)
    return forming


def partial_bars(instruments: Sequence[int], since: int) -> list[tuple[int, str, int]]:
    """(instrument, interval, start) of bars over gaps that start at `since` (Unix seconds) or later."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT instrument_id, interval, extract(epoch FROM start)::bigint FROM market_bar"
            " WHERE partial AND instrument_id = ANY(%s) AND start >= to_timestamp(%s)",
            [list(instruments), since],
        )
        return cursor.fetchall()


def bars_between(instrument: int, interval: str, first: int, last: int) -> dict[int, tuple[bool, int]]:
    """Start → (partial, volume) of the bars that start from `first` to `last`, Unix seconds."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM start)::bigint, partial, volume FROM market_bar"
            " WHERE instrument_id = %s AND interval = %s"
            " AND start BETWEEN to_timestamp(%s) AND to_timestamp(%s)",
            [instrument, interval, first, last],
        )
        return {start: (partial, volume) for start, partial, volume in cursor.fetchall()}


def bar_of(past: PastBar) -> Bar:
    return Bar(
        past.start, past.open, past.high, past.low, past.close, past.volume, past.turnover, past.prints
    )


def quarantine(world_number: int, refused: Sequence[Refused]) -> None:
    """Keep a bounded sample of what the gate refused."""
    Quarantined.objects.bulk_create(
        Quarantined(world_id=world_number, source=one.source[:32], reason=one.reason, payload=one.payload)
        for one in refused
    )
    newest = Quarantined.objects.filter(world_id=world_number).order_by("-id")
    edge = newest.values_list("id", flat=True)[QUARANTINED_MAX : QUARANTINED_MAX + 1].first()
    if edge is not None:
        Quarantined.objects.filter(world_id=world_number, id__lte=edge).delete()


def forget_connection() -> None:
    """After an error: the next call connects anew."""
    connection.close()
