"""When a venue does what: phases of the day, and the market day an instant belongs to. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec

from market.rulebook.rules import Phase
from simgame.kernel.clock import NS_PER_S

Span = tuple[str, str]  # ("09:30", "continuous")
EVENING = "16:00"  # night spans from this hour on lie on the evening before, the others after midnight
ONE_DAY = timedelta(days=1)
# The venue's phase is that of its boards in which most is possible.
OPENNESS = (
    *(Phase.CLOSED, Phase.PRE_OPEN, Phase.BREAK, Phase.AFTER_HOURS_QUIET, Phase.AFTER_HOURS),
    *(Phase.AUCTION_LOCKED, Phase.AUCTION, Phase.CONTINUOUS),
)


class PhaseNow(msgspec.Struct, frozen=True):
    market_day: int  # 20261102
    phase: str
    next_phase: str
    next_change_ns: int  # world time
    opened: bool = False  # continuous trading has begun on this market day
    span: str = ""  # the part of the day, by its start: "14:57"


class Day(msgspec.Struct, frozen=True):
    """A trading day's phases, by the clock of the venue, each up to the next.

    night    what comes before it: on the evening before (from 16:00) and after that midnight
    opening  what the morning begins with when there was no night
    eve      the evening before: of the last `trading_day`, or of the last `calendar_day`
    """

    spans: tuple[Span, ...]
    night: tuple[Span, ...] = ()
    opening: tuple[Span, ...] = ()
    eve: str = "trading_day"

    def whole(self, *, with_night: bool) -> tuple[Span, ...]:
        """All spans in their order in time."""
        return (*self.night, *self.spans) if with_night else (*self.opening, *self.spans)


class Days(Protocol):
    """Which days are trading days. market.rulebook.calendars.TradingCalendar is one."""

    def is_open(self, day: date) -> bool: ...
    def on_or_after(self, day: date) -> date: ...
    def before(self, day: date) -> date: ...
    def eve_of_holiday(self, day: date) -> bool: ...
    def is_half(self, day: date) -> bool: ...


class Change(msgspec.Struct, frozen=True, order=True):
    at_ns: int
    market_day: int
    phase: str
    span: str
    opened: bool


class Hours:
    """The phases of a venue. Before the first span, and on other days, it is closed.

    The market day is the local date, from its night's beginning on where it has one; on a day without
    trading it is the next trading day.
    """

    def __init__(self, day_of: Callable[[date], Day], calendar: Days, timezone: str):
        """day_of: the Day that holds on a trading day."""
        self.day_of = day_of
        self.calendar = calendar
        self.zone = ZoneInfo(timezone)

    def at(self, world_ns: int) -> PhaseNow:
        local = datetime.fromtimestamp(world_ns // NS_PER_S, UTC).astimezone(self.zone).date()
        changes = self._around(local)
        index = bisect_right(changes, world_ns, key=lambda change: change.at_ns)
        now, following = changes[index - 1], next(each for each in changes[index:] if each.span)
        return PhaseNow(now.market_day, now.phase, following.phase, following.at_ns, now.opened, now.span)

    @lru_cache(maxsize=8)  # noqa: B019 - one Hours per world, for the life of the process
    def _around(self, local: date) -> list[Change]:
        """Every change from before `local` begins to behind its end."""
        changes: dict[int, Change] = {}
        day = self.calendar.before(local)
        for _ in range(4):
            for change in self.changes_of(day):
                changes[change.at_ns] = change  # where one day ends and the next begins, it has begun
            day = self.calendar.on_or_after(day + ONE_DAY)
        return sorted(changes.values(), key=lambda change: change.at_ns)

    def changes_of(self, day: date) -> Iterable[Change]:
        """The changes of one trading day, its night first. Those without a span are nobody's phase."""
        held = self.day_of(day)
        before = self.calendar.before(day)
        eve = before if held.eve == "trading_day" else day - ONE_DAY
        has_night = bool(held.night) and not (held.eve == "trading_day" and self.calendar.eve_of_holiday(eve))
        number = as_number(day)
        begins = local_ns(before + ONE_DAY, time(), self.zone)
        first_night = local_ns(eve, time.fromisoformat(held.night[0][0]), self.zone) if has_night else begins
        if first_night >= begins:
            yield Change(begins, number, Phase.CLOSED.value, "", False)
        opened = False
        nights = len(held.night) if has_night else 0
        for n, (start, phase) in enumerate(held.whole(with_night=has_night)):
            on = day if n >= nights else eve if start >= EVENING else eve + ONE_DAY
            opened = opened or phase == Phase.CONTINUOUS
            yield Change(local_ns(on, time.fromisoformat(start), self.zone), number, phase, start, opened)


def merged(days: Sequence[Day]) -> Day:
    """The day of a venue whose boards have different ones: every span of any, most open phase first."""
    first = days[0]
    if all(day == first for day in days):
        return first
    parts = {name: _merged([getattr(day, name) for day in days], days, name) for name in ("night", "opening")}
    spans = _merged([day.spans for day in days], days, "spans")
    return Day(spans, parts["night"], parts["opening"], first.eve)


def _merged(parts: list[tuple[Span, ...]], days: Sequence[Day], name: str) -> tuple[Span, ...]:
    starts = sorted(
        {start for part in parts for start, _ in part}, key=_in_the_night if name == "night" else None
    )
    return tuple(
        (start, max((_phase_in(day, name, start) for day in days), key=_openness)) for start in starts
    )


def _in_the_night(start: str) -> tuple[bool, str]:
    return start < EVENING, start


def _openness(phase: str) -> int:
    return OPENNESS.index(Phase(phase))


def _phase_in(day: Day, name: str, start: str) -> str:
    """The phase of `day` in the span that begins at `start` of its night, opening or main part."""
    before = () if name in ("night", "opening") else (*day.night, *day.opening)[-1:]
    key = _in_the_night if name == "night" else _by_start
    passed = [phase for begins, phase in getattr(day, name) if key(begins) <= key(start)]
    if passed:
        return passed[-1]
    return before[-1][1] if before else Phase.CLOSED.value


def _by_start(start: str) -> tuple[bool, str]:
    return False, start


def own_phases(own: Day, whole: Day) -> dict[str, str]:
    """Start of a span of the venue's `whole` day → the phase of a board whose day is `own`."""
    if own == whole:
        return {}
    found: dict[str, str] = {}
    for name in ("night", "opening", "spans"):
        for start, _ in getattr(whole, name):
            found[start] = _phase_in(own, name, start)
    return found


def day_from(values: Mapping[str, Sequence[Sequence[str]]]) -> Day:
    """A Day of a rulebook's row."""
    parts = {
        name: tuple((start, phase) for start, phase in values.get(name, ()))
        for name in ("spans", "night", "opening")
    }
    for start, phase in (span for part in parts.values() for span in part):
        time.fromisoformat(start)
        Phase(phase)
    return Day(parts["spans"], parts["night"], parts["opening"], str(values.get("eve", "trading_day")))


ALWAYS = Day((("00:00", Phase.CONTINUOUS.value),))


def local_ns(day: date, at: time, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, at, zone).timestamp()) * NS_PER_S


def as_number(day: date) -> int:
    """20261102 for 2 November 2026: how market days travel and are stored."""
    return day.year * 10_000 + day.month * 100 + day.day


def as_date(market_day: int) -> date:
    return date(market_day // 10_000, market_day // 100 % 100, market_day % 100)
