"""When a venue does what: phases of the day, and the market day an instant belongs to."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from market.rulebook.rules import Phase
from simgame.kernel.clock import NS_PER_S

Spans = tuple[tuple[str, str], ...]


class PhaseNow(msgspec.Struct, frozen=True):
    market_day: int  # 20261102
    phase: str
    next_phase: str
    next_change_ns: int  # world time
    opened: bool = False  # continuous trading has begun on this market day


class Hours:
    """The phases of a venue's day. Before the first span, and on other days, it is closed.

    The market day is the local date; on a day without trading it is the next trading day.
    """

    def __init__(self, spans: Spans, weekdays: tuple[int, ...], timezone: str):
        self.spans = tuple((time.fromisoformat(start), Phase(phase)) for start, phase in spans)
        self.weekdays = frozenset(weekdays)
        self.zone = ZoneInfo(timezone)

    def at(self, world_ns: int) -> PhaseNow:
        local = datetime.fromtimestamp(world_ns // NS_PER_S, UTC).astimezone(self.zone)
        day = local.date()
        if day.weekday() not in self.weekdays:
            opening = self._trading_day(day)
            return self._now(opening, Phase.CLOSED, opening, 0)
        passed = sum(1 for start, _ in self.spans if start <= local.time())
        phase = self.spans[passed - 1][1] if passed else Phase.CLOSED
        opened = any(phase == Phase.CONTINUOUS for _, phase in self.spans[:passed])
        if passed < len(self.spans):
            return self._now(day, phase, day, passed, opened=opened)
        return self._now(day, phase, self._trading_day(day + timedelta(days=1)), 0, opened=opened)

    def _now(
        self, market_day: date, phase: Phase, next_day: date, index: int, *, opened: bool = False
    ) -> PhaseNow:
        start, next_phase = self.spans[index]
        change = self._instant(next_day, start)
        return PhaseNow(as_number(market_day), phase, next_phase, change, opened)

    def _trading_day(self, day: date) -> date:
        while day.weekday() not in self.weekdays:
            day += timedelta(days=1)
        return day

    @lru_cache(maxsize=64)  # noqa: B019 - one Hours per world, for the life of the process
    def _instant(self, day: date, at: time) -> int:
        return int(datetime.combine(day, at, self.zone).timestamp()) * NS_PER_S


def as_number(day: date) -> int:
    """20261102 for 2 November 2026: how market days travel and are stored."""
    return day.year * 10_000 + day.month * 100 + day.day


def as_date(market_day: int) -> date:
    return date(market_day // 10_000, market_day // 100 % 100, market_day % 100)
