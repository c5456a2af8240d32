"""Runs a feed as a process: signals, event loop, one log line at the end."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence

import structlog
from django.conf import settings

from market import errors
from market.feed import recovery, store
from market.feed.lock import FolderLock
from market.feed.plan import Plan, plan_for
from market.feed.process import Feed, Superseded
from market.feed.worldclock import SPEED_MAX
from market.models import World
from market.sources.replay.own_wal import WORLD_FILE
from simgame import env
from simgame.kernel import threads

if sys.platform == "win32":  # where there is no uvloop
    new_loop = asyncio.new_event_loop
else:
    from uvloop import new_event_loop as new_loop

GC_THRESHOLDS = (50_000, 20, 50)  # objects more than before, then how many looks at the young ones
TAKE_OVER_S = 10.0  # the feed before us looks at its lease every second

log = structlog.get_logger(__name__)


def until_stopped(world: World, *, speed: int | None = None, seed: int | None = None) -> None:
    """Serve `world` until SIGTERM or SIGINT, or until another feed takes over.

    Raises MarketError, and OSError when the folder of the write-ahead log cannot be used.
    """
    if speed is not None and not 1 <= speed <= SPEED_MAX:
        raise errors.BadControl(f"Speed {speed} is not possible: 1 to {SPEED_MAX}.")
    plan = plan_for(world, seed=seed, speed=speed)
    if speed is not None:
        store.want(world.number, speed=speed)
    keep_to(settings.FEED_CPUS)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_main(plan))


def keep_to(cpus: Sequence[str]) -> None:
    """Run on these processors only, threads and children too. Raises BadSetting."""
    if not cpus:
        return
    try:
        os.sched_setaffinity(0, {int(one) for one in cpus})
    except (ValueError, OSError, AttributeError) as error:
        there = f"numbers of processors that this process may use ({error})"
        raise env.BadSetting("SIMGAME_FEED_CPUS", ",".join(cpus), there) from None


def make_way() -> None:
    """What is there now stays: the cyclic collector need not look at it again and again.

    Without this it took more than half of the feed's time at 2,500 messages/s. Ticks make no cycles; what
    does (tasks, exceptions) is found at the rarer looks. And the loop need not wait 5 ms for a thread that
    asks the database.
    """
    threads.hand_over_soon()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


async def _main(plan: Plan) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    failed: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            served = group.create_task(
                serve(plan, f"{socket.gethostname()}:{os.getpid()}", _stopper(group, stop))
            )
            await asyncio.wait([served])
            stop.set()
    except* Superseded:
        log.info("feed_leaves", world=plan.world.slug, why="another feed of this world has taken over")
    except* (errors.MarketError, OSError) as group_error:
        failed = group_error.exceptions[0]
    if failed is not None:  # raised in there it would come out as a group again, in some Python 3.11
        raise failed


def _stopper(group: asyncio.TaskGroup, stop: asyncio.Event):
    def announce(feed: Feed) -> None:
        make_way()

        async def wait() -> None:
            await stop.wait()
            feed.stop()

        group.create_task(wait())

    return announce


async def serve(plan: Plan, holder: str, announce: Callable[[Feed], None]) -> None:
    """Take the lease, wait for the feed before us to leave, recover, serve until `Feed.stop`.

    Raises FeedHeld or Superseded. `announce` gets the feed before it begins.
    """
    address = f"unix:{plan.socket_path}"
    epoch, wanted = await asyncio.to_thread(_take_lease, plan, holder, address)
    lock = FolderLock(plan.folder)
    await lock.acquire(TAKE_OVER_S)
    try:
        (plan.folder / WORLD_FILE).write_bytes(plan.world_file())
        recovered = recovery.recover(plan.folder)
        plan.source.remember(recovered.happened, recovered.state.closes())
        plan.source.resume(recovered.source, recovered.last)
        feed = Feed(plan, epoch, recovered, wanted)
        announce(feed)
        await feed.run()
    finally:
        lock.release()


def _take_lease(plan: Plan, holder: str, address: str) -> tuple[int, store.Wanted]:
    """In a thread of its own: its connection ends with it."""
    try:
        return store.take_lease(plan.world.number, holder, address, plan.speed)
    finally:
        store.forget_connection()
