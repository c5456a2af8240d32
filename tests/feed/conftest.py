"""A feed that runs inside the test: real database, real sockets, real WAL, the test's own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from market import worlds
from market.feed.plan import Plan, plan_for
from market.feed.process import Feed
from market.feed.run import serve
from market.models import World
from market.sources.base import PastBar
from simgame.kernel import clock

PATIENCE_S = 30.0


async def until(condition: Callable[[], Any], what: str = "it") -> Any:
    """Wait for a condition; fails the test when it does not come true."""
    end = clock.monotonic_s() + PATIENCE_S
    while clock.monotonic_s() < end:
        found = condition()
        if found:
            return found
        await asyncio.sleep(0.01)
    pytest.fail(f"{what} did not happen within {PATIENCE_S:g} s")


class Runner:
    """Starts feeds of a world on folders of the test's own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.some_of: Callable[[Iterable[PastBar]], Iterable[PastBar]] = lambda past: islice(past, 100)

    async def plan(self, world: World, **changes: Any) -> Plan:
        plan = await sync_to_async(plan_for)(world)
        plan.folder, plan.socket_path = self.folder / world.slug, self.folder / f"{world.number}.sock"
        for name, value in changes.items():
            setattr(plan, name, value)
        past = plan.source.history  # the whole past of a market takes seconds to write: a little will do
        plan.source.history = lambda: self.some_of(past())  # type: ignore[method-assign]
        return plan

    @asynccontextmanager
    async def running(self, world: World, **changes: Any) -> AsyncIterator[Feed]:
        plan = await self.plan(world, **changes)
        feeds: list[Feed] = []
        served = asyncio.create_task(serve(plan, "test", feeds.append))
        try:
            await until(lambda: served.done() or (feeds and feeds[0].published), "a feed")
            if not feeds or served.done():
                served.result()
            yield feeds[0]
        finally:
            if feeds:
                feeds[0].stop()
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.gather(served, return_exceptions=True)
        if not served.cancelled() and served.exception() is not None:
            raise served.exception()


@pytest.fixture
async def runner(tmp_path: Path, transactional_db: None) -> AsyncIterator[Runner]:
    yield Runner(tmp_path)
    await sync_to_async(connections.close_all)()


@pytest.fixture
def seeded(transactional_db: None) -> World:
    return worlds.ensure("seeded")


def replay(path: Path, **options: Any) -> World:
    """The world of a recording, with the replay options a test wants."""
    world = worlds.ensure(f"replay:{path}")
    world.options |= options
    world.save(update_fields=["options"])
    return world
