"""Bars over a gap are made whole again from the venue's own history.

The rule. A bar that is partial, and over for `LATER_S`, is asked for from the first source of the world
that keeps a history (`Source.past_bars`), together with what lies between it and the other partial bars of
the same instrument and interval: an outage leaves bars out, too. The venue's bar takes the place of one that
is partial or missing, never of a whole one; one with less volume than we heard ourselves is refused, and ours
stays partial. What was filled stands in the log (`wal.Filled`), so that a recomputation gives it too. Where
no source keeps a history, bars stay partial. A day's bar is filled in worlds whose day is UTC's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import structlog

from market.feed import store
from market.feed.bars import DAY, SECONDS, Bar, Key
from market.feed.database import NO_ANSWER
from market.sources.base import HistoryAway, PastBar, Source
from simgame.kernel.clock import NS_PER_S

if TYPE_CHECKING:
    from market.feed.process import Feed

LATER_S = 10  # a venue finishes its bar, and we write ours, a moment after its end
LOOK_S = 5.0
PAUSE_S = 0.5  # between two questions: a back-fill must never cost a venue's goodwill
BARS_MAX = 500  # in one question
TRIES_MAX = 5  # a venue that does not answer is asked again at the next look, so often
KEPT_S = 86_400  # how far back a restart looks for partial bars
LENGTHS = {**{interval: length for interval, length in SECONDS.items() if interval != "1s"}, DAY: 86_400}

log = structlog.get_logger(__name__)
Place = tuple[str, str]  # symbol, interval


class BackFill:
    """`filled`: bars made whole so far; `refused`: the venue's had less than ours."""

    def __init__(self, feed: Feed):
        self.feed = feed
        self.filled = self.refused = 0
        self.partial: dict[Place, set[int]] = {}  # starts
        self._tries: dict[Place, int] = {}
        self._intervals = {one for one in LENGTHS if one != DAY or feed.plan.world.timezone == "UTC"}

    def changed(self, dirty: Mapping[Key, Bar]) -> None:
        for (symbol, interval, start), bar in dirty.items():
            if bar.partial and interval in self._intervals:
                self.partial.setdefault((symbol, interval), set()).add(start)

    @property
    def waiting(self) -> int:
        return sum(map(len, self.partial.values()))

    async def run(self) -> None:
        """For ever."""
        await self._remember()
        while True:
            for source in self.feed.source.leaves():
                if source.keeps_history and source.live:
                    await self.look(source)
                    break
            await asyncio.sleep(LOOK_S)

    async def _remember(self) -> None:
        names = {pk: symbol for symbol, pk in self.feed.plan.ids.items()}
        since = self.feed.world_ns() // NS_PER_S - KEPT_S
        rows = await self.feed.database.run(store.partial_bars, list(names), since, default=[])
        for pk, interval, start in rows:
            if interval in self._intervals:
                self.partial.setdefault((names[pk], interval), set()).add(start)

    async def look(self, source: Source) -> None:
        """Ask `source` for what is over."""
        now = self.feed.world_ns() // NS_PER_S - LATER_S
        for place in list(self.partial):
            due = sorted(start for start in self.partial[place] if start + LENGTHS[place[1]] <= now)[
                :BARS_MAX
            ]
            if due:
                await self._fill(source, place, due)
                await asyncio.sleep(PAUSE_S)

    async def _fill(self, source: Source, place: Place, due: list[int]) -> None:
        symbol, interval = place
        first, last = due[0], min(due[-1], due[0] + (BARS_MAX - 1) * LENGTHS[interval])
        instrument = self.feed.plan.ids[symbol]
        ours = await self.feed.database.run(
            store.bars_between, instrument, interval, first, last, default=NO_ANSWER
        )
        if ours is NO_ANSWER:
            return
        try:
            told = await source.past_bars(symbol, interval, first, last)
        except HistoryAway as error:
            self._again(place, due, str(error))
            return
        self._tries.pop(place, None)
        self._settle(place, [start for start in due if start <= last])
        self._take(place, told, ours)

    def _take(self, place: Place, told: Iterable[PastBar], ours: Mapping[int, tuple[bool, int]]) -> None:
        symbol, interval = place
        for past in told:
            partial, volume = ours.get(past.start, (True, 0))
            if not partial:
                continue
            if past.volume < volume:
                self.refused += 1
                log.warning("backfill_refused", symbol=symbol, interval=interval, start=past.start)
                continue
            self.filled += 1
            self.feed.path.fill(symbol, interval, store.bar_of(past))

    def _again(self, place: Place, due: list[int], why: str) -> None:
        self._tries[place] = tries = self._tries.get(place, 0) + 1
        log.warning("backfill_away", symbol=place[0], interval=place[1], tries=tries, why=why)
        if tries >= TRIES_MAX:
            del self._tries[place]
            self._settle(place, due)

    def _settle(self, place: Place, starts: Iterable[int]) -> None:
        self.partial[place].difference_update(starts)
        if not self.partial[place]:
            del self.partial[place]
