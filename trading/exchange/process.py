"""The life of an exchange process: take the world over, recover, serve, end well."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import django.db
import psycopg
import structlog
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import connections

from market.feed.client import FeedClient
from market.models import World
from simgame.kernel import clock, collector, tasks, threads
from trading import invariants
from trading.engine.commands import Recovered, SetRules
from trading.exchange import recovery, ticks
from trading.exchange.applier import Applier
from trading.exchange.database import connect
from trading.exchange.lease import Fenced, Lease, end_sleeper
from trading.exchange.loop import BooksBroken, DatabaseLost, Loop, Rebuild
from trading.exchange.news import News
from trading.exchange.server import Server
from trading.exchange.streams import Streams
from trading.exchange.takings import Takings
from trading.exchange.venue_halts import VenueHalts
from trading.exchange.version import engine_version
from trading.exchange.writer import Reader, Writer
from trading.invariants import breaks

log = structlog.get_logger(__name__)
EXIT_OK, EXIT_FAILED, EXIT_FENCED = 0, 1, 4
REBUILDS_MAX, REBUILDS_WITHIN_S = 5, 60.0  # more is a fault that a restart will not cure
DATABASE_BACK_S, DATABASE_PAUSE_S = 30.0, 0.2


@dataclass
class Life:
    """What one recovery made, to be thrown away as a whole."""

    loop: Loop
    server: Server
    writer: Writer
    rules: ticks.Rules


class Exchange:
    def __init__(self, world: World):
        self.world = world
        self.path = Path(settings.RUN_DIR) / f"exchange-{world.number}.sock"
        self.news = News(settings.REDIS_URL)
        self._stopping = False
        self._life: Life | None = None
        self._rebuilds: deque[float] = deque(maxlen=REBUILDS_MAX)

    async def run(self) -> int:
        """Until `stop` or the end of our right to write. The exit code."""
        hearing = asyncio.create_task(self.news.readers.run())
        try:
            return await self._lives()
        finally:
            await tasks.end([hearing])
            await self.news.aclose()
            collector.as_usual()

    async def run_until_signalled(self) -> int:
        """As a process of its own: SIGTERM and SIGINT stop it after the batch under way."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        return await self.run()

    def stop(self) -> None:
        self._stopping = True
        if self._life is not None:
            self._life.loop.stop()

    async def _lives(self) -> int:
        while not self._stopping:
            try:
                self._life = await self._recovered()
                await self._serve(self._life)
            except Fenced as error:
                log.error("exchange_fenced", world=self.world.slug, why=str(error))
                return EXIT_FENCED
            except (Rebuild, psycopg.Error, django.db.Error, OSError) as error:
                connections["default"].close_pool()  # a restarted server knows none of its connections
                if _is_the_databases(error):
                    await asyncio.sleep(DATABASE_PAUSE_S)
                elif not self._may_rebuild():
                    log.error("exchange_gives_up", world=self.world.slug, why=str(error))
                    return EXIT_FAILED
                if isinstance(error, BooksBroken):
                    await self._keep_evidence(error)
                why = f"{type(error).__name__}: {error}"
                log.warning("exchange_rebuilds", world=self.world.slug, why=why, exc_info=error.__cause__)
                collector.let_go()
        return EXIT_OK

    async def _keep_evidence(self, broken: BooksBroken) -> None:
        log.critical("batch_refused", world=self.world.slug, seq=broken.seq, why=str(broken))
        try:
            await database_sync_to_async(breaks.store_breaches)(self.world, broken.breaches, broken.seq)
        except django.db.Error as error:
            log.error("evidence_not_stored", world=self.world.slug, why=str(error))

    def _may_rebuild(self) -> bool:
        now = clock.monotonic_s()
        full = len(self._rebuilds) == REBUILDS_MAX and now - self._rebuilds[0] < REBUILDS_WITHIN_S
        self._rebuilds.append(now)
        return not full

    async def _recovered(self) -> Life:
        started = clock.monotonic_s()
        gc.disable()  # it would look at every order again and again while they are made; see `_make_way`
        connection = await asyncio.to_thread(_connected)
        lease = await self._leased(connection)
        recovery.ensure_system_accounts(connection, self.world.number)
        books = await asyncio.to_thread(recovery.read, connection, self.world.number)
        rules = ticks.Rules(self.world)
        of_the_day = await database_sync_to_async(rules.of)(books.market_day)
        engine = recovery.engine_of(books, self.world.number, (), rules.halted)
        world = self.world
        streams = Streams(world.number, world.stream_epoch, rules.scales, books.stream_heads, world.slug)
        writer = Writer(lease, connection)
        books.breaks += [invariants.Found(breach.invariant, str(breach), {}) for breach in engine.breaches()]
        halted, why_halted = tuple(rules.halted), tuple(rules.halted.values())
        begin_with = [Recovered(engine_version(), halted, why_halted), *map(SetRules, of_the_day)]
        if books.breaks:  # in doubt: nothing is restated
            engine = recovery.engine_of(books, self.world.number, of_the_day, rules.halted)
            begin_with = [Recovered(engine_version(), halted, why_halted, tuple(of_the_day))]
        why = "; ".join(f"{found.invariant} {found.subject}" for found in books.breaks[:5])
        loop = Loop(
            applier=Applier(engine, streams, books.head),
            writer=writer,
            reader=Reader(await asyncio.to_thread(connect, "reader")),
            news=self.news,
            why_quarantined=why,
            begin_with=begin_with,
        )
        self._tell(books, loop, clock.monotonic_s() - started)
        _make_way()
        return Life(loop, Server(self.path, loop.submit), writer, rules)

    async def _leased(self, connection: psycopg.Connection) -> Lease:
        holder = f"{socket.gethostname()}:{os.getpid()}"
        try:
            return await asyncio.to_thread(
                Lease.acquire, connection, self.world.number, holder, f"unix:{self.path}"
            )
        except psycopg.errors.LockNotAvailable:
            await database_sync_to_async(end_sleeper)(self.world.number)
            raise

    async def _serve(self, life: Life) -> None:
        feed = FeedClient(self.world.number, role="exchange")
        following = asyncio.ensure_future(
            ticks.follow(aiter(feed), life.rules, life.loop.submit_ticks, _closes(life.loop))
        )
        following.add_done_callback(lambda done: _goes_on(done, life))
        fills = life.loop.applier.engine.state
        taking = asyncio.ensure_future(Takings(self.world, lambda: fills.fills_n).run())
        taking.add_done_callback(_takings_ended)
        halting = asyncio.ensure_future(VenueHalts(self.world, fills, life.loop.submit_ticks).run())
        halting.add_done_callback(_halts_ended)
        await life.server.open()
        keeping = asyncio.ensure_future(life.server.keep())
        keeping.add_done_callback(lambda done: _goes_on(done, life))
        if self._stopping:
            life.loop.stop()
        try:
            await life.loop.run()
        finally:
            following.cancel()
            taking.cancel()
            halting.cancel()
            keeping.cancel()
            await life.server.close()
            await feed.close()
            self._life = None
            await self._leave(life)

    async def _leave(self, life: Life) -> None:
        """Say that we are gone, if the row is still ours and the database can hear it."""
        try:
            await life.writer.beat("stopped")
        except (Fenced, psycopg.Error) as error:
            log.info("lease_not_released", world=self.world.slug, why=str(error))
        life.writer.close()
        life.loop.reader.close()

    def _tell(self, books: recovery.Books, loop: Loop, seconds: float) -> None:
        facts = {
            "world": self.world.slug,
            "epoch": loop.writer.lease.epoch,
            "seq": books.head.seq,
            "open_orders": len(books.orders),
            "portfolios": len(books.portfolios),
            "seconds": round(seconds, 3),
        }
        if loop.why_quarantined:
            breaks = [found.as_dict() for found in books.breaks[:20]]
            log.critical("exchange_quarantined", breaks=breaks, count=len(books.breaks), **facts)
        else:
            log.info("exchange_recovered", **facts)


def _goes_on(duty: asyncio.Future[None], life: Life) -> None:
    """Following the feed and keeping the name never end by themselves: a fault must not go unseen."""
    if not duty.cancelled() and duty.exception() is not None:
        life.loop.fail(duty.exception())


def _halts_ended(halting: asyncio.Future[None]) -> None:
    """The exchange serves on without it: an instrument that the market halts has empty books."""
    if not halting.cancelled() and (error := halting.exception()) is not None:
        log.error("venue_halts_ended", why=f"{type(error).__name__}: {error}", exc_info=error)


def _takings_ended(taking: asyncio.Future[None]) -> None:
    """The exchange serves on without it: the market only does not feel its players."""
    if not taking.cancelled() and (error := taking.exception()) is not None:
        log.error("takings_ended", why=f"{type(error).__name__}: {error}", exc_info=error)


def _closes(loop: Loop) -> Callable[[str], int]:
    """The last price of a symbol that the engine saw, 0 when it saw none."""
    markets = loop.applier.engine.state.markets
    return lambda symbol: markets[symbol].base_price() if symbol in markets else 0


def _is_the_databases(error: BaseException) -> bool:
    """Away, full, locked: however often, giving up would not bring it back."""
    cause = error.__cause__ or error
    return isinstance(error, DatabaseLost) or isinstance(cause, psycopg.OperationalError)


def _connected() -> psycopg.Connection:
    """Waits for a database that is restarting."""
    deadline = clock.monotonic_s() + DATABASE_BACK_S
    while True:
        try:
            return connect("writer")
        except psycopg.OperationalError as error:
            if clock.monotonic_s() > deadline:
                raise
            log.info("database_not_there", why=str(error).strip())
            time.sleep(DATABASE_PAUSE_S)


def _make_way() -> None:
    """The books are long-lived: the collector need not look at them again and again. And the loop should
    not wait 5 ms for a thread that reads."""
    threads.hand_over_soon()
    collector.set_aside_for_books()
