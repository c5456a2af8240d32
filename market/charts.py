"""What charts read: bars of a stretch of time, and what is to be marked on it.

The chart API (`/api/v1/chart`) and TradingView's UDF (`/udf`) ask the same questions here. Times are
world time, in nanoseconds; `from` inclusive, `to` exclusive. So a hidden day shows its masked dates.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from django.db.models import QuerySet

from market import queries
from market.models import Bar, CorporateAction, Instrument, World
from simgame.kernel import clock

BARS_MAX: Final = 10_000  # in one answer: the newest of them
MARKS_MAX: Final = 500
DAY_NS: Final = 86_400 * clock.NS_PER_S


class Stretch(msgspec.Struct, frozen=True):
    """Which bars: those in [from, to), or the last `countback` before `to`, whatever `from` says."""

    from_ns: int | None
    to_ns: int | None
    countback: int | None = None


class Found(msgspec.Struct, frozen=True):
    """Bars, oldest first. `next_ns`: without any, when the newest earlier bar begins (None: none)."""

    bars: list[Bar]
    next_ns: int | None = None


def bars(row: Instrument, interval: str, stretch: Stretch) -> Found:
    """Raises BadInterval."""
    stored = queries.stored_bars(row, interval)
    until = stored if stretch.to_ns is None else stored.filter(start__lt=clock.from_ns(stretch.to_ns))
    begin_ns = stretch.from_ns if stretch.countback is None else None
    within = until if begin_ns is None else until.filter(start__gte=clock.from_ns(begin_ns))
    newest = within.order_by("-start")[: min(stretch.countback or BARS_MAX, BARS_MAX)]
    if found := list(newest)[::-1]:
        return Found(found)
    before = None if begin_ns is None else _newest_before(stored, min(begin_ns, stretch.to_ns or begin_ns))
    return Found([], before and int(before.start.timestamp()) * clock.NS_PER_S)


def partial_bars(row: Instrument, interval: str, stretch: Stretch) -> list[Bar]:
    """Bars that were built over a gap in the data, oldest first. Raises BadInterval."""
    found = queries.stored_bars(row, interval).filter(partial=True, **_within("start", stretch))
    return list(found.order_by("start")[:MARKS_MAX])


def actions(row: Instrument, stretch: Stretch) -> list[CorporateAction]:
    """Corporate actions by their ex-date, oldest first."""
    found = CorporateAction.objects.filter(instrument=row, withdrawn=False)
    dated = {name: at.date() for name, at in _within("ex_on", stretch).items()}
    return list(found.filter(**dated).order_by("ex_on", "key")[:MARKS_MAX])


def now_ns(world: World) -> int:
    """World time."""
    return clock.parse_rfc3339(queries.phase(world)["now"])


def _within(field: str, stretch: Stretch) -> dict[str, Any]:
    found = {}
    if stretch.from_ns is not None:
        found[f"{field}__gte"] = clock.from_ns(stretch.from_ns)
    if stretch.to_ns is not None:
        found[f"{field}__lt"] = clock.from_ns(stretch.to_ns)
    return found


def _newest_before(stored: QuerySet[Bar], at_ns: int) -> Bar | None:
    return stored.filter(start__lt=clock.from_ns(at_ns)).order_by("-start").first()
