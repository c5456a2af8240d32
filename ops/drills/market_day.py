"""A world's market as fast as it can be computed: its source, its calendar and the feed's own judgement.

What the feed's process does on a wall clock, on a clock that is told: world time and wall time are one,
so that ages of quotes are what they would be at speed 1. Nothing is conflated.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from market.feed.pipeline import Pipeline
from market.feed.plan import Plan
from market.feed.settlement import Settlement
from market.feed.state import WorldState
from market.rulebook import Phase
from market.sources.base import Paced, State
from market.sources.items import Item, Reached
from market.ticks import Tick
from simgame.kernel.clock import NS_PER_S

STEP_NS = NS_PER_S // 4
REFRESH_NS = 4 * NS_PER_S  # as the feed says an unchanged quote again


class Stage:
    """market.sources.base.Stage, on told time."""

    paused, speed = False, 1

    def __init__(self, now_ns: int):
        self.now_ns = now_ns

    def world_ns(self) -> int:
        return self.now_ns

    def wall_ns(self) -> int:
        return self.now_ns

    def jump(self, world_ns: int) -> None:
        self.now_ns = max(self.now_ns, world_ns)

    async def put(self, item: Item) -> None:
        raise NotImplementedError("a paced source is asked what is due")


class MarketDay:
    """Ticks of a world from `start_ns` on, numbered from 1."""

    def __init__(self, plan: Plan, start_ns: int):
        assert isinstance(plan.source, Paced), "a live source has no day to play"
        self.plan, self.source, self.calendar = plan, plan.source, plan.calendar
        self.state = WorldState()
        self.settlement = Settlement(self.state, plan.instruments)
        self.stage = Stage(start_ns)
        self.pipeline = Pipeline(plan.instruments, plan.source.numbering, plan.calendar.closed)
        self.refused = 0
        self._second = 0
        self.source.become(State.CONNECTING)
        self.source.become(State.LIVE)

    @property
    def now_ns(self) -> int:
        return self.stage.now_ns

    def steps(self) -> Iterator[list[Tick]]:
        """For ever: what is said in each quarter of a second. Closed hours are passed over."""
        while True:
            self.calendar.look_again()
            now = self.calendar.now(self.now_ns)
            if now.phase == Phase.CLOSED and now.next_change_ns > self.now_ns + NS_PER_S and self._second:
                self.stage.jump(now.next_change_ns)
            else:
                self.stage.jump(self.now_ns + STEP_NS)
            yield [*self._clock(), *self._traded()]

    def _clock(self) -> list[Tick]:
        now, before = self.calendar.now(self.now_ns), self.state.phase
        turned = before is None or (now.market_day, now.phase) != (before.market_day, before.phase)
        if not turned and self.now_ns // NS_PER_S == self._second:
            return []
        self._second = self.now_ns // NS_PER_S
        told = self.calendar.phase_tick(self.now_ns, self.now_ns, 1, False, self.source.note)
        references = []
        if before is None or before.market_day != told.market_day:
            day, now_ns = before.market_day if before else 0, self.now_ns
            said = (told.market_day, self._close_of, now_ns, now_ns, day)
            settled = {"settlement_of": self.settlement.ending} if before else {}
            references = self.calendar.references(*said, **settled)
            self.pipeline.learn(references)
        self.source.on_phase(told)
        again = [
            msgspec.structs.replace(quote, received_ns=self.now_ns)
            for quote in self.state.quotes.values()
            if self.now_ns - quote.received_ns >= REFRESH_NS and now.phase != Phase.CLOSED
        ]
        return [self._numbered(tick) for tick in (told, *references, *again)]

    def _traded(self) -> list[Tick]:
        told: list[Tick] = []
        for item in self.source.due(self.now_ns, self.stage):
            if isinstance(item, Reached):
                continue
            passed = self.pipeline.take(item, self.now_ns)
            if passed.tick is not None:
                told.append(self._numbered(passed.tick))
        self.refused += len(self.pipeline.take_refused())
        return told

    def _numbered(self, tick: Any) -> Tick:
        numbered: Tick = msgspec.structs.replace(tick, seq=self.state.seq + 1)
        self.state.apply(numbered)
        return numbered

    def _close_of(self, symbol: str) -> int:
        return self.state.close_of(symbol) or self.plan.first_closes.get(symbol, 0)
