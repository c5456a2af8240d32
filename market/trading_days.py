"""Which days a venue trades, and from when to when: the calendar of bots."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from market import queries, rulebook
from market.messages import JSON
from market.models import World
from simgame.kernel import clock
from simgame.kernel.errors import Invalid

DAYS_MAX: Final = 3_700  # ten years
FIRST, LAST = date(1980, 1, 1), date(2199, 12, 31)  # what calendars may be asked for
LOOK_BACK: Final = timedelta(days=365)
LOOK_AHEAD: Final = timedelta(days=60)
LAST_MINUTE: Final = "23:59"  # of a venue that closes at midnight: their clients read no 24:00


def rows(world: World, start: date | None, end: date | None) -> list[JSON]:
    """Alpaca's calendar, both days inclusive: `open` and `close` of matching, by the venue's clock.

    Without days: a year back and sixty days ahead of the world's own today. Raises Invalid.
    """
    kept = queries.hours(world)
    today = rulebook.as_date(queries.market_day(world))
    for named, day in (("start", start), ("end", end)):
        if day is not None and not FIRST <= day <= LAST:
            raise Invalid(f"{named}: a day between {FIRST} and {LAST}.", pointer=f"/{named}")
    first = start or min(today, end or today) - LOOK_BACK
    last = end or max(today, start or today) + LOOK_AHEAD
    if (last - first).days > DAYS_MAX:
        raise Invalid(f"At most {DAYS_MAX} days at once.", pointer="/end")
    found = []
    day = first
    while day <= last:
        if kept.calendar.is_open(day) and (row := _row(kept, day)):
            found.append(row)
        day += timedelta(days=1)
    return found


def _row(kept: rulebook.Hours, day: date) -> JSON | None:
    changes = [change for change in kept.changes_of(day) if change.span]
    open_ns = next((change.at_ns for change in changes if _matches(change.phase)), None)
    if open_ns is None:
        return None
    last = max(n for n, change in enumerate(changes) if _matches(change.phase))
    close = _clock(kept, changes[last + 1].at_ns) if last + 1 < len(changes) else LAST_MINUTE
    opened = _clock(kept, open_ns)
    return {
        "date": day.isoformat(),
        "open": opened,
        "close": close,
        "session_open": _clock(kept, changes[0].at_ns).replace(":", ""),
        "session_close": close.replace(":", ""),
        "settlement_date": day.isoformat(),
    }


def _matches(phase: str) -> bool:
    return rulebook.PERMITS[phase].match


def _clock(kept: rulebook.Hours, at_ns: int) -> str:
    return f"{datetime.astimezone(clock.from_ns(at_ns), kept.zone):%H:%M}"
