"""Hours of recorded days: only days that were recorded are trading days. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from market.rulebook import Phase, PhaseNow, as_number
from simgame.kernel.clock import NS_PER_S

Span = tuple[str, str]  # ("09:30", "continuous")
NIGHT = time(18)  # a venue's night belongs to the next market day


class RecordedHours:
    """`spans`: the day's phases in order of the clock, closed before the first one.

    `night`: phases of the evening before, for venues whose market day begins at night; between the
    night and the morning the venue takes a break, across a weekend too.
    """

    def __init__(
        self, days: Sequence[date], spans: Sequence[Span], timezone: str, night: Sequence[Span] = ()
    ):
        self.days = sorted(days)
        self.zone = ZoneInfo(timezone)
        self._changes: list[tuple[int, date, Phase]] = []
        for number, day in enumerate(self.days):
            eve = self.days[number - 1] if number else weekday_before(day)
            for start, phase in night:
                at = time.fromisoformat(start)
                self._add(eve if at >= NIGHT else eve + timedelta(days=1), at, day, phase)
            for start, phase in spans:
                self._add(day, time.fromisoformat(start), day, phase)
        self._starts = [start for start, _, _ in self._changes]

    def _add(self, on: date, at: time, day: date, phase: str) -> None:
        instant = int(datetime.combine(on, at, self.zone).timestamp()) * NS_PER_S
        self._changes.append((instant, day, Phase(phase)))

    def at(self, at_ns: int) -> PhaseNow:
        index = bisect_left(self._starts, at_ns + 1)
        following = self._changes[index] if index < len(self._changes) else None
        if index == 0:
            assert following is not None
            return PhaseNow(as_number(following[1]), Phase.CLOSED, following[2], following[0])
        _, day, phase = self._changes[index - 1]
        if following is None:
            return PhaseNow(as_number(day), phase, Phase.CLOSED, 0)
        return PhaseNow(as_number(day), phase, following[2], following[0])


def local_ns(day: date, at: time, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, at, zone).timestamp()) * NS_PER_S


def local_date(at_ns: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).astimezone(zone).date()


def weekday_before(day: date) -> date:
    """The last weekday before `day`: on whose evening its night began, as far as no holiday is known."""
    day -= timedelta(days=1)
    while day.weekday() > 4:
        day -= timedelta(days=1)
    return day
