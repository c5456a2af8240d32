"""The path of a tick: judged, numbered, written ahead, applied, passed on. Nothing in it waits.

`take` is the hot path: what it costs per message, the whole feed costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
import structlog

from market.feed import wal
from market.feed.bars import Bar
from market.feed.histogram import Histogram
from market.feed.hub import Hub, batch_of, gap_batch
from market.feed.pipeline import Pipeline
from market.feed.plan import Plan
from market.feed.recovery import Recovered
from market.feed.settlement import Settlement
from market.feed.worldclock import WorldClock
from market.sources.items import Gap, Item, Reached, Settled, Skipped
from market.ticks import Print, Quote, Reference, Tick
from simgame.kernel import clock
from simgame.kernel.clock import NS_PER_S

log = structlog.get_logger(__name__)


class TickPath:
    """The one writer of a world's state, bars and write-ahead log."""

    def __init__(
        self,
        plan: Plan,
        recovered: Recovered,
        world_clock: WorldClock,
        written: wal.Wal,
        hub: Hub,
    ):
        self.plan, self.clock, self.wal, self.hub = plan, world_clock, written, hub
        self.state, self.bars, self.last = recovered.state, recovered.bars, recovered.last
        self.calendar = plan.calendar
        self.pipeline = Pipeline(plan.instruments, plan.source.numbering, plan.calendar.closed)
        self.settlement = Settlement(self.state, plan.instruments)
        self.reached_ns = world_clock.now(clock.now_ns())
        self.published = 0
        self.ingest, self.fanout = Histogram(), Histogram()
        self.degrade: Callable[[Quote, int], Quote | None] | None = None  # thins quotes out, by a switch
        for tick in (*self.state.quotes.values(), *recovered.heads.values()):
            self.pipeline.sequence.resume(tick)
        self.pipeline.learn(self.state.references.values())

    def take(self, items: Iterable[Item]) -> None:
        wall_ns = clock.now_ns()
        clock_ns, speed = self.clock.now(wall_ns), self.clock.speed
        judge, degrade = self.pipeline.take, self.degrade
        ticks: list[Tick] = []
        for item in items:
            if isinstance(item, Reached):
                at_ns = item.at_ns
            elif isinstance(item, Settled):
                ticks = self.emit(ticks)
                self._note_settlement(item)
                continue
            elif isinstance(item, Skipped):
                ticks = self.emit(ticks)
                self._note_skipped(item, clock_ns)
                continue
            else:
                passed = judge(item, clock_ns, speed)
                if passed.gap:
                    ticks = self.emit(ticks)
                    self._note_gap(passed.gap)
                tick = passed.tick
                if degrade is not None and isinstance(tick, Quote):
                    tick = degrade(tick, wall_ns)
                if tick is None:
                    continue
                at_ns = tick.at_ns
                ticks.append(tick)
            at_ns = min(at_ns, clock_ns)  # a venue's clock that runs ahead does not move ours
            if at_ns > self.reached_ns:
                self.reached_ns = at_ns
                if self._day_turns(at_ns):
                    last = [ticks.pop()] if ticks and not isinstance(item, Reached) else []
                    self.emit(ticks)
                    self.roll(at_ns)
                    ticks = last
        self.emit(ticks)

    def emit(self, ticks: list[Tick]) -> list[Tick]:
        """Number, write ahead, apply, pass on. Returns an empty list to go on with."""
        if not ticks:
            return []
        first = self.state.seq + 1
        numbered = [msgspec.structs.replace(tick, seq=first + n) for n, tick in enumerate(ticks)]
        batch = batch_of(numbered)
        wall_ns = clock.now_ns()
        self.wal.append(batch.payload, wall_ns)
        self.ingest.observe((wall_ns - batch.received_ns) / NS_PER_S, len(numbered))
        for tick in numbered:
            self.state.apply(tick)
            self.bars.apply(tick)
        self._remember_last(numbered)
        self.published += len(numbered)
        began_s = clock.monotonic_s()
        self.hub.pass_on(batch)
        self.fanout.observe(clock.monotonic_s() - began_s, len(numbered))
        return []

    def _remember_last(self, ticks: list[Tick]) -> None:
        for tick in reversed(ticks):
            if isinstance(tick, (Quote, Print)):
                if self.last is None or (tick.source_epoch, tick.source_seq) >= (
                    self.last.source_epoch,
                    self.last.source_seq,
                ):
                    self.last = tick
                return

    def _note_gap(self, gap: Gap) -> None:
        """Into the log, the bars, and to every consumer."""
        log.warning(
            "gap", source=gap.source, symbol=gap.symbol, first=gap.first_missing, last=gap.last_missing
        )
        self.wal.append(wal.encode(wal.GapRecord(gap)), clock.now_ns())
        self.bars.gap(gap)
        self.hub.pass_on(gap_batch(gap))

    def _note_settlement(self, said: Settled) -> None:
        """Kept for the end of the day it belongs to; the running day is told anew when it began otherwise."""
        price = self.pipeline.settlement(said)
        if not price:
            return
        if not said.opens:
            written = wal.SettledRecord(said.symbol, said.market_day, price)
            self.wal.append(wal.encode(written), clock.now_ns())
            self.state.settled[said.symbol] = (said.market_day, price)
        if self.settlement.corrects(said, price):
            reference = self.state.references[said.symbol]
            told = self.calendar.corrected(reference, price, self.reached_ns, clock.now_ns())
            log.info("settlement_corrected", symbol=said.symbol, was=reference.settlement, now=price)
            self.pipeline.learn([told])
            self.emit([told])

    def _note_skipped(self, said: Skipped, clock_ns: int) -> None:
        """Into the figures of its market day, which begins first where it has not."""
        at_ns = min(said.at_ns, clock_ns)
        if at_ns > self.reached_ns:
            self.reached_ns = at_ns
            if self._day_turns(at_ns):
                self.roll(at_ns)
        self.wal.append(wal.encode(wal.SkippedRecord(said.symbol, said.trades)), clock.now_ns())
        self.state.day(said.symbol).join(said.trades)

    def fill(self, symbol: str, interval: str, bar: Bar) -> None:
        """A bar from the venue's history, into the log and the bars."""
        self.wal.append(wal.encode(wal.Filled(symbol, interval, bar)), clock.now_ns())
        self.bars.fill(symbol, interval, bar)

    # --- the world's day ----------------------------------------------------------------------------

    def _day_turns(self, at_ns: int) -> bool:
        now = self.calendar.now(at_ns)
        phase = self.state.phase
        return phase is None or (now.market_day, now.phase) != (phase.market_day, phase.phase)

    def roll(self, at_ns: int) -> None:
        """Say what time it is; on a new market day also what holds on it."""
        tick = self.calendar.phase_tick(
            at_ns, clock.now_ns(), self.clock.speed, self.clock.paused, self.plan.source.note
        )
        before = self.state.phase
        references: list[Reference] = []
        if before is None or before.market_day != tick.market_day:
            day_before = before.market_day if before else 0
            ended = self.settlement.ending if before else _nothing
            said = (tick.market_day, self._close_of, at_ns, tick.received_ns, day_before, ended)
            references = self.calendar.references(*said)
            self.pipeline.learn(references)
        self.emit([tick, *references])
        self.plan.source.on_phase(tick)

    def _close_of(self, symbol: str) -> int:
        first = self.plan.first_closes.get(symbol, 0)
        if self.state.phase is None and first:  # the world's first day: its last price so far is of this day
            return first
        return self.state.close_of(symbol) or first


def _nothing(_: str) -> int:
    """A world's first day: nobody knows what the day before it was settled at."""
    return 0
