"""The feed of one world: sources in, ticks out. `manage.py run_feed` runs it until SIGTERM.

One event loop does everything but the database, which has one thread of its own. The path of a tick
is `_take` → `_emit`; nothing in it waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec
import structlog
from django.db import Error as DatabaseError

from market.feed import recovery, store, wal
from market.feed.answers import answer
from market.feed.bars import STORED, Bar, Key
from market.feed.hub import Hub, batch_of
from market.feed.ingress import Ingress
from market.feed.pipeline import Pipeline
from market.feed.plan import Plan
from market.feed.publisher import RedisPublisher
from market.feed.recovery import Checkpoint, Recovered, StoredBar
from market.feed.server import FeedServer
from market.feed.worldclock import WorldClock
from market.sources.items import Gap, Item, Reached
from market.ticks import PhaseTick, Print, Quote, Reference, Tick
from simgame.kernel import clock
from simgame.kernel.clock import NS_PER_S

BEAT_S = 1.0  # lease, clock tick, bars, control
TAKE_MAX = 512  # items in one turn of the loop
REFRESH_NS = 4 * NS_PER_S  # an unchanged quote is said again after this long: readers expect 5 s
CHECKPOINT_BEATS = 10
PRUNE_BEATS = 600
UNWRITTEN_MAX = 100_000  # bars waiting for a database that is away; more come from the WAL

log = structlog.get_logger(__name__)
T = TypeVar("T")


class Superseded(Exception):
    """Another feed of this world has taken over: leave, quietly and at once."""


class Feed:
    def __init__(self, plan: Plan, epoch: int, recovered: Recovered, wanted: store.Wanted):
        self.plan, self.epoch = plan, epoch
        self.source = plan.source
        self.state, self.bars = recovered.state, recovered.bars
        self.last = recovered.last
        self.begun = recovered.begun
        self.ingress = Ingress(plan.policy)
        self.calendar = plan.calendar
        self.pipeline = Pipeline(plan.instruments, plan.source.numbering, plan.calendar.closed)
        self.wal = wal.Wal(plan.folder, plan.fsync)
        self.clock = WorldClock(clock.now_ns(), plan.start_ns(self.last), wanted.speed)
        self.reached_ns = self.clock.now(clock.now_ns())
        self.hub = Hub()
        self.server = FeedServer(
            plan.socket_path, self.hub, self.state.snapshot, lambda asked: answer(self, asked)
        )
        self.publisher = RedisPublisher(
            plan.redis_url,
            slug=plan.world.slug,
            timezone=plan.world.timezone,
            epoch=f"{plan.world.stream_epoch}.{epoch}",
            scales=plan.scales,
            state=self.state,
            bars=self.bars,
        )
        self.hub.join(self.publisher)
        self.published = 0
        self._unwritten: dict[Key, Bar] = {}
        self._in_flight: dict[Key, Bar] = {}  # on their way into the database
        self._beats = 0
        self._background: set[asyncio.Task[Any]] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="feed-db")
        self._stopping = asyncio.Event()
        for tick in (*self.state.quotes.values(), *recovered.heads.values()):
            self.pipeline.sequence.resume(tick)
        self.pipeline.learn(self.state.references.values())
        self._obey(wanted)

    # --- life ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until `stop`. Raises Superseded when another feed takes over."""
        await self._begin()
        self._roll(self.reached_ns)
        await self.server.start()
        log.info("feed_serves", world=self.plan.world.slug, epoch=self.epoch, seq=self.state.seq)
        try:
            await self._work()
        finally:
            await self._leave()

    def stop(self) -> None:
        self._stopping.set()

    async def _work(self) -> None:
        jobs = [
            asyncio.create_task(job, name=name)
            for name, job in (
                ("stop", self._stopping.wait()),
                ("source", self._run_source()),
                ("pump", self._pump()),
                ("beat", self._beat_for_ever()),
                ("housekeeping", self._keep_house_for_ever()),
                ("publisher", self.publisher.run()),
            )
        ]
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            for job in done:
                job.result()
        finally:
            await _end(jobs)

    async def _run_source(self) -> None:
        await self.source.run(self)
        await asyncio.Event().wait()  # no more ticks: the feed goes on serving the last state

    async def _leave(self) -> None:
        await self.server.stop()
        await self._write_bars()
        self._checkpoint()
        self.wal.close()
        await self.publisher.close()
        await asyncio.get_running_loop().run_in_executor(self._thread, store.forget_connection)
        self._thread.shutdown()

    async def _begin(self) -> None:
        """The first start of a world: its past into the tables, what was forming into the WAL."""
        if self.begun:
            return
        # In the database's thread, one instrument's bars at a time: a long past never lies in memory.
        forming = await self._database(store.write_past, self.source.history(), self.plan.ids, default=[])
        begin = self.plan.begin_of(forming)
        self.wal.append(wal.encode(begin), clock.now_ns())
        self.bars.series.update(begin.series)
        self.state.days.update(begin.days)

    # --- what the source sees (market.sources.base.Stage) ------------------------------------------

    @property
    def paused(self) -> bool:
        return self.clock.paused

    @property
    def speed(self) -> int:
        return self.clock.speed

    def world_ns(self) -> int:
        return self.clock.now(clock.now_ns())

    def wall_ns(self) -> int:
        return clock.now_ns()

    def jump(self, world_ns: int) -> None:
        self.clock.seek(world_ns, clock.now_ns())

    async def put(self, item: Item) -> None:
        await self.ingress.put(item)

    # --- the path of a tick -------------------------------------------------------------------------

    async def _pump(self) -> None:
        while True:
            self._take(await self.ingress.take(TAKE_MAX))
            await asyncio.sleep(0)  # links and answers get their turn under load

    def _take(self, items: Iterable[Item]) -> None:
        clock_ns = self.world_ns()
        ticks: list[Tick] = []
        for item in items:
            if isinstance(item, Reached):
                at_ns = item.at_ns
            else:
                passed = self.pipeline.take(item, clock_ns, self.speed)
                if passed.gap:
                    ticks = self._emit(ticks)
                    self._note_gap(passed.gap)
                if passed.tick is None:
                    continue
                at_ns = passed.tick.at_ns
                ticks.append(passed.tick)
            at_ns = min(at_ns, clock_ns)  # a venue's clock that runs ahead does not move ours
            if at_ns > self.reached_ns:
                self.reached_ns = at_ns
                if self._day_turns(at_ns):
                    last = [ticks.pop()] if ticks and not isinstance(item, Reached) else []
                    self._emit(ticks)
                    self._roll(at_ns)
                    ticks = last
        self._emit(ticks)

    def _emit(self, ticks: list[Tick]) -> list[Tick]:
        """Number, write ahead, apply, pass on. Returns an empty list to go on with."""
        if not ticks:
            return []
        first = self.state.seq + 1
        numbered = [msgspec.structs.replace(tick, seq=first + n) for n, tick in enumerate(ticks)]
        batch = batch_of(numbered)
        self.wal.append(batch.payload, clock.now_ns())
        for tick in numbered:
            self.state.apply(tick)
            self.bars.apply(tick)
        self._remember_last(numbered)
        self._share_bars()
        self.published += len(numbered)
        self.hub.pass_on(batch)
        return []

    def _remember_last(self, ticks: list[Tick]) -> None:
        for tick in reversed(ticks):
            if isinstance(tick, Quote | Print):
                if self.last is None or (tick.source_epoch, tick.source_seq) >= (
                    self.last.source_epoch,
                    self.last.source_seq,
                ):
                    self.last = tick
                return

    def _share_bars(self) -> None:
        dirty = self.bars.take_dirty()
        if dirty:
            self._unwritten.update(dirty)
            self.publisher.offer_bars(dirty)

    def _note_gap(self, gap: Gap) -> None:
        log.warning(
            "gap", source=gap.source, symbol=gap.symbol, first=gap.first_missing, last=gap.last_missing
        )
        self.wal.append(wal.encode(wal.GapRecord(gap)), clock.now_ns())
        self.bars.gap(gap)
        self._share_bars()

    # --- the world's day ----------------------------------------------------------------------------

    def _day_turns(self, at_ns: int) -> bool:
        now = self.calendar.now(at_ns)
        phase = self.state.phase
        return phase is None or (now.market_day, now.phase) != (phase.market_day, phase.phase)

    def _roll(self, at_ns: int) -> None:
        """Say what time it is; on a new market day also what holds on it."""
        tick = self._phase_tick(at_ns)
        before = self.state.phase
        references: list[Reference] = []
        if before is None or before.market_day != tick.market_day:
            references = self.calendar.references(
                tick.market_day, self._close_of, at_ns, tick.received_ns, before.market_day if before else 0
            )
            self.pipeline.learn(references)
        self._emit([tick, *references])
        self.source.on_phase(tick)

    def _phase_tick(self, at_ns: int) -> PhaseTick:
        return self.calendar.phase_tick(at_ns, clock.now_ns(), self.speed, self.paused, self.source.note)

    def _close_of(self, symbol: str) -> int:
        return self.state.close_of(symbol) or self.plan.first_closes.get(symbol, 0)

    # --- every second ---------------------------------------------------------------------------------

    async def _beat_for_ever(self) -> None:
        """The world's clock, quotes that stand unchanged, the checkpoint: nothing that can hang."""
        while True:
            self.calendar.look_again()
            self._roll(self.reached_ns)
            self._refresh()
            self._beats += 1
            if self._beats % CHECKPOINT_BEATS == 0:
                self._checkpoint()
            await asyncio.sleep(BEAT_S)

    async def _keep_house_for_ever(self) -> None:
        """Lease, bars, quarantine, disk: a database that hangs delays only these."""
        while True:
            await self._keep_lease()
            await self._write_bars()
            if self.plan.ex_dates is not None:
                await self._database(self.plan.ex_dates.read)
            refused = self.pipeline.take_refused()
            if refused:
                await self._database(store.quarantine, self.plan.world.number, refused)
            await asyncio.get_running_loop().run_in_executor(self._thread, self.wal.sync)
            if self._beats % PRUNE_BEATS == 0:
                self.wal.prune(self.plan.keep_hours, clock.now_ns())
            await asyncio.sleep(BEAT_S)

    async def _keep_lease(self) -> None:
        wanted = await self._database(store.beat, self.plan.world.number, self.epoch, default=NO_ANSWER)
        if wanted is None:
            raise Superseded
        if wanted is not NO_ANSWER:
            self._obey(wanted)

    def want(self, wanted: store.Wanted) -> None:
        """Obey now, and write it where a restart finds it."""
        self._obey(wanted)
        work = self._database(self._remember_wanted, wanted)
        self._background.add(task := asyncio.create_task(work))
        task.add_done_callback(self._background.discard)

    def _remember_wanted(self, wanted: store.Wanted) -> None:
        store.want(self.plan.world.number, paused=wanted.paused, speed=wanted.speed)

    def seek(self, wanted: str) -> None:
        """Raises ValueError when the source cannot go there."""
        self.clock.seek(self.source.seek(wanted, self.world_ns()), clock.now_ns())

    def _obey(self, wanted: store.Wanted) -> None:
        """Pause and speed as an operator wants them."""
        wall_ns = clock.now_ns()
        if wanted.paused != self.paused:
            log.info("feed_paused" if wanted.paused else "feed_resumed", world=self.plan.world.slug)
            (self.clock.pause if wanted.paused else self.clock.resume)(wall_ns)
        if wanted.speed != self.speed:
            try:
                self.clock.set_speed(wanted.speed, wall_ns)
            except ValueError as error:
                log.warning("speed_refused", wanted=wanted.speed, why=str(error))

    def _refresh(self) -> None:
        """An unchanged quote is still true: say so, or readers must take it for a dead source."""
        if not self.source.live or self.paused:
            return
        now_ns = clock.now_ns()
        self._emit(
            [
                msgspec.structs.replace(quote, received_ns=now_ns)
                for quote in self.state.quotes.values()
                if now_ns - quote.received_ns >= REFRESH_NS
            ]
        )

    async def _write_bars(self) -> None:
        """What could not be written stays for the next time."""
        # What was on its way when a stop cancelled the wait may never have left: send it again.
        self._in_flight, self._unwritten = {**self._in_flight, **self._unwritten}, {}
        rows = store.rows_of(self._in_flight, self.plan.ids, STORED)
        written = await self._database(store.write_bars, rows, default=NO_ANSWER) is not NO_ANSWER
        taken, self._in_flight = self._in_flight, {}
        if written:
            return
        self._unwritten = {**taken, **self._unwritten}
        for key in list(self._unwritten)[: max(0, len(self._unwritten) - UNWRITTEN_MAX)]:
            del self._unwritten[key]

    def _checkpoint(self) -> None:
        if not self.wal.segment or len(self.ingress):  # what waits is in the source's state already
            return
        unwritten: list[StoredBar] = recovery.unwritten({**self._in_flight, **self._unwritten})
        recovery.save(
            self.plan.folder,
            Checkpoint(
                recovery.VERSION,
                self.wal.segment,
                self.wal.offset,
                self.state,
                self.bars.series,
                self.last,
                self.source.save(),
                unwritten,
            ),
        )

    async def _database(self, work: Callable[..., T], *arguments: Any, default: Any = None) -> T | Any:
        """Run in the database's thread. A database that is away costs nothing but `default`."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, work, *arguments)
        except DatabaseError as error:
            log.warning("database_away", during=work.__name__, why=str(error).strip().splitlines()[:1])
            await loop.run_in_executor(self._thread, store.forget_connection)
            return default


NO_ANSWER: Any = object()


async def _end(jobs: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel until all have ended: redis-py may swallow a cancellation that meets its time-out."""
    while waiting := [job for job in jobs if not job.done()]:
        for job in waiting:
            job.cancel()
        await asyncio.wait(waiting, timeout=1.0)
