"""The feed of one world: sources in, ticks out. `manage.py run_feed` runs it until SIGTERM.

One event loop does everything but the database and the disk's slow parts, which have a thread each.
The way of a tick is `put` → `Intake` → `TickPath.take`; README.md draws the whole picture.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import structlog

from market.feed import kept_rows, recovery, store, wal
from market.feed.answers import answer
from market.feed.backfill import BackFill
from market.feed.bar_writer import BarWriter
from market.feed.database import NO_ANSWER, DatabaseThread
from market.feed.hub import Hub
from market.feed.ingress import Ingress
from market.feed.intake import Intake
from market.feed.metrics import Rate
from market.feed.nats_out import NatsPublisher
from market.feed.path import TickPath
from market.feed.plan import Plan
from market.feed.publisher import FLUSH_S, RedisPublisher
from market.feed.recovery import Checkpoint, Recovered
from market.feed.server import FeedServer
from market.feed.valve import ROOM, Switches
from market.feed.worldclock import WorldClock
from market.sources.items import Item
from simgame.kernel import clock, tasks
from simgame.kernel.clock import NS_PER_S
from simgame.switches import runtime

BEAT_S = 1.0  # lease, clock tick, bars, control
SWITCHES_S = 0.8  # how often the operator's switches are looked at: they hold within a second
REFRESH_NS = 4 * NS_PER_S  # an unchanged quote is said again after this long: readers expect 5 s
CHECKPOINT_BEATS = 10
EX_DATES_BEATS = 5  # an announced corporate action is known here so many seconds later
PRUNE_BEATS = 600

log = structlog.get_logger(__name__)


class Superseded(Exception):
    """Another feed of this world has taken over: leave, quietly and at once."""


class Feed:
    def __init__(self, plan: Plan, epoch: int, recovered: Recovered, wanted: store.Wanted):
        self.plan, self.epoch = plan, epoch
        self.source = plan.source
        self.begun, self._cut = recovered.begun, recovered.cut
        self.ingress = Ingress(plan.policy, plan.queue)
        self.wal = wal.Wal(plan.folder, plan.fsync)
        self.clock = WorldClock(clock.now_ns(), plan.start_ns(recovered.last), wanted.speed)
        self.hub = Hub()
        self.database = DatabaseThread()
        self.switch_reader = DatabaseThread("feed-switches")  # not behind a thousand bars
        self.disk = ThreadPoolExecutor(1, thread_name_prefix="feed-disk")
        self.bar_writer = BarWriter(recovered.bars, plan.ids, self.database)
        self.path = TickPath(plan, recovered, self.clock, self.wal, self.hub)
        self.intake = Intake(self.ingress, self.path, plan.source)
        self.state, self.bars, self.pipeline = self.path.state, self.path.bars, self.path.pipeline
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
            before_flush=self._share_bars,
        )
        self.hub.join(self.publisher)
        self.source.log_to(self._log_happening)
        self.nats: NatsPublisher | None = None
        if plan.nats != "off":
            self.nats = NatsPublisher(plan.nats_url, plan.nats, plan.scales, epoch, plan.nats_credentials)
            self.hub.join(self.nats)
        self.backfill = BackFill(self)
        self.rate = Rate()
        self._beats = 0
        self._background: set[asyncio.Task[Any]] = set()
        self._stopping = asyncio.Event()
        self._obey(wanted)

    # --- life ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until `stop`. Raises Superseded when another feed takes over."""
        await self._begin()
        self.path.roll(self.path.reached_ns)
        await self.server.start()
        await self._keep_checkpoint()  # there is always one that is older than the last record
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
                ("intake", self.intake.run()),
                ("release", self.intake.release_for_ever()),
                ("switches", self._follow_switches()),
                ("beat", self._beat_for_ever()),
                ("housekeeping", self._keep_house_for_ever()),
                ("publisher", self.publisher.run()),
                ("backfill", self.backfill.run()),
                *((("nats", self.nats.run()),) if self.nats else ()),
            )
        ]
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            for job in done:
                job.result()
        finally:
            await tasks.end(jobs)

    async def _run_source(self) -> None:
        await self.source.run(self)
        await asyncio.Event().wait()  # no more ticks: the feed goes on serving the last state

    async def _leave(self) -> None:
        self.intake.empty()
        await self.server.stop()
        await self._write_bars()
        await self._keep_for_the_source()
        await self._keep_checkpoint()
        self.wal.close()
        await self.publisher.close()
        await self.database.close()
        await self.switch_reader.close()
        self.disk.shutdown()

    async def _begin(self) -> None:
        """The first start of a world: its past into the tables, what was forming into the WAL."""
        if self._cut:
            await self.database.run(store.forget_later, self.bar_writer.say_again())
        if self.begun:
            return
        # In the database's thread, one instrument's bars at a time: a long past never lies in memory.
        forming = await self.database.run(store.write_past, self.source.history(), self.plan.ids, default=[])
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

    async def put_all(self, items: Sequence[Item]) -> None:
        await self.ingress.put_all(items)

    def _log_happening(self, event: bytes) -> None:
        self.wal.append(wal.encode(wal.Happened(event)), clock.now_ns())

    @property
    def published(self) -> int:
        return self.path.published

    # --- every second ---------------------------------------------------------------------------------

    async def _beat_for_ever(self) -> None:
        """The world's clock, quotes that stand unchanged, the checkpoint: nothing that can hang."""
        while True:
            self.path.calendar.look_again()
            self.path.roll(self.path.reached_ns)
            self._refresh()
            self.rate.look(self.published)
            self._beats += 1
            if self._beats % CHECKPOINT_BEATS == 0:
                await self._keep_checkpoint()
            await asyncio.sleep(BEAT_S)

    async def _keep_house_for_ever(self) -> None:
        """Lease, bars, quarantine, disk: a database that hangs delays only these."""
        loop, ex_dates_due = asyncio.get_running_loop(), 0
        while True:
            await self._keep_lease()
            await self._write_bars(everything=False)
            if self.plan.ex_dates is not None and self._beats >= ex_dates_due:
                ex_dates_due = self._beats + EX_DATES_BEATS
                await self.database.run(self.plan.ex_dates.read)
            await self._keep_for_the_source()
            refused = self.pipeline.take_refused()
            if refused:
                await self.database.run(store.quarantine, self.plan.world.number, refused)
            await loop.run_in_executor(self.disk, self.wal.sync_if_due)
            if self._beats % PRUNE_BEATS == 0:
                await loop.run_in_executor(self.disk, self._tidy_disk)
            await asyncio.sleep(BEAT_S)

    async def _keep_for_the_source(self) -> None:
        """What the source wants in its tables; what could not be written stays for the next time."""
        kept = self.source.to_keep()
        if kept is None:
            return
        if await self.database.run(kept_rows.write, self.plan.world.number, kept, default=NO_ANSWER) is None:
            self.source.was_kept(kept)

    def _tidy_disk(self) -> None:
        self.wal.prune(self.plan.keep_hours, clock.now_ns())
        self.wal.compress(self.plan.compress_hours, clock.now_ns())

    async def _keep_lease(self) -> None:
        wanted = await self.database.run(store.beat, self.plan.world.number, self.epoch, default=NO_ANSWER)
        if wanted is None:
            raise Superseded
        if wanted is not NO_ANSWER:
            self._obey(wanted)

    async def _follow_switches(self) -> None:
        while True:
            await self.look_at_switches()
            await asyncio.sleep(SWITCHES_S)

    async def look_at_switches(self) -> None:
        said = await self.switch_reader.run(runtime.of_room, ROOM, self.plan.world.slug)
        if said is not None:
            self.intake.turn(Switches.of(said))
            self.publisher.flush_s = max(FLUSH_S, self.intake.valve.switches.conflate_ms / 1_000)

    def want(self, wanted: store.Wanted) -> None:
        """Obey now, and write it where a restart finds it."""
        self._obey(wanted)
        self.background(self.database.run(self._remember_wanted, wanted))

    def background(self, work: Coroutine[Any, Any, None]) -> None:
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
        self.path.emit(
            [
                msgspec.structs.replace(quote, received_ns=now_ns)
                for quote in self.state.quotes.values()
                if now_ns - quote.received_ns >= REFRESH_NS
            ]
        )

    # --- bars and checkpoint -----------------------------------------------------------------------

    async def _write_bars(self, *, everything: bool = True) -> None:
        self._share_bars()
        await self.bar_writer.write(everything=everything)

    def _share_bars(self) -> None:
        dirty = self.bars.take_dirty()
        if dirty:
            self.bar_writer.changed(dirty)
            self.publisher.offer_bars(dirty)
            self.backfill.changed(dirty)

    def _checkpoint(self) -> Checkpoint | None:
        """Everything up to the end of the WAL; None when there is nothing to keep."""
        if not self.wal.segment:
            return None
        # A source that makes its market has what waits in its state already: first it must be in the WAL
        # too. What a venue said and we did not take in yet is in no state.
        if self.source.keeps_state and not self.intake.drain():
            return None
        self._share_bars()
        return Checkpoint(
            recovery.VERSION,
            self.wal.segment,
            self.wal.offset,
            self.state,
            self.bars.series,
            self.path.last,
            self.source.save(),
            self.bar_writer.waiting(),
            self.wal.record,
        )

    async def _keep_checkpoint(self) -> None:
        checkpoint = self._checkpoint()
        if checkpoint is None:
            return
        encoded = recovery.encode(checkpoint)  # here: the state goes on changing
        await asyncio.get_running_loop().run_in_executor(
            self.disk, _save_behind_the_wal, self.wal, self.plan.folder, encoded
        )


def _save_behind_the_wal(written: wal.Wal, folder: Path, checkpoint: bytes) -> None:
    """The WAL first: a checkpoint must never know more than the disk does."""
    written.sync()
    recovery.save(folder, checkpoint)
