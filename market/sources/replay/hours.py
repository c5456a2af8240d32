"""Hours of recorded days, and which of them are played: only recorded days are trading days. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from market import errors
from market.rulebook import Day, Hours, Phase, PhaseNow, TradingCalendar, as_number, local_ns
from simgame.kernel.clock import NS_PER_S

__all__ = ["NIGHT", "RecordedHours", "local_date", "local_ns", "played_days"]
NIGHT = time(18)  # a venue's night belongs to the next market day


class RecordedHours:
    """The venue's phases on the recorded `days`; between two of them it stays as the first one ended.

    day_of: the venue's Day on a trading day; `calendar` says on which evening its night began.
    """

    def __init__(
        self, days: Sequence[date], day_of: Callable[[date], Day], timezone: str, calendar: TradingCalendar
    ):
        self.days = sorted(days)
        hours = Hours(day_of, calendar, timezone)
        changes = [change for day in self.days for change in hours.changes_of(day) if change.span]
        self._changes = sorted({change.at_ns: change for change in changes}.values())
        self._starts = [change.at_ns for change in self._changes]

    def at(self, at_ns: int) -> PhaseNow:
        index = bisect_left(self._starts, at_ns + 1)
        following = self._changes[index] if index < len(self._changes) else None
        if index == 0:
            assert following is not None
            return PhaseNow(as_number(self.days[0]), Phase.CLOSED, following.phase, following.at_ns)
        now = self._changes[index - 1]
        after = (following.phase, following.at_ns) if following else (Phase.CLOSED, 0)
        return PhaseNow(now.market_day, now.phase, *after, now.opened, now.span)


def local_date(at_ns: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).astimezone(zone).date()


def played_days(days: Sequence[date], options: dict[str, Any], most: int) -> list[date]:
    """Which of the recorded days are played: `days` of them (default `most`) from the day `from` on,
    without it the last ones. Raises RecordingUnknown when there is none from then on.
    """
    count = int(options.get("days", most))
    first = options.get("from")
    if first is None:
        return list(days[-count:])
    begin = bisect_left(days, date.fromisoformat(first))
    if begin == len(days):
        raise errors.RecordingUnknown(
            f"The recording holds {days[0]} to {days[-1]}: nothing from {first} on."
        )
    return list(days[begin : begin + count])
