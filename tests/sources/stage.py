"""A stage for a source alone: the feed's own pipeline, and lists of what passed it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from market.feed.pipeline import Pipeline
from market.sources.base import Source
from market.sources.ctp.source import CtpSource
from market.sources.items import Gap, Item, Malformed, Reached
from market.ticks import Print, Quote
from simgame.kernel import clock
from tests.venues import ctp_front

PATIENCE_S = 90.0


class Platform:
    paused = False
    speed = 1

    def __init__(self, source: Source, scales: Iterable[SimpleNamespace]):
        self.pipeline = Pipeline(scales, source.numbering)  # type: ignore[arg-type]
        self.items: list[Item] = []
        self.ticks: list[Quote | Print] = []
        self.gaps: list[Gap] = []
        self.behind_ns = ctp_front.behind_ns() if isinstance(source, CtpSource) else 0

    def world_ns(self) -> int:
        return clock.now_ns()

    wall_ns = world_ns

    def jump(self, world_ns: int) -> None:
        raise AssertionError("a live source does not move the clock")

    async def put_all(self, items: Iterable[Item]) -> None:
        for item in items:
            await self.put(item)

    async def put(self, item: Item) -> None:
        self.items.append(item)
        if isinstance(item, Reached):
            return
        passed = self.pipeline.take(item, clock.now_ns() - self.behind_ns)
        if passed.gap:
            self.gaps.append(passed.gap)
        if passed.tick is not None:
            self.ticks.append(passed.tick)

    def of(self, symbol: str) -> list[Quote | Print]:
        return [tick for tick in self.ticks if tick.symbol == symbol]

    @property
    def malformed(self) -> list[Malformed]:
        return [item for item in self.items if isinstance(item, Malformed)]


def scale(symbol: str, price_exponent: int = 2, qty_exponent: int = 0, tick: int = 1) -> SimpleNamespace:
    return SimpleNamespace(
        symbol=symbol, price_exponent=price_exponent, qty_exponent=qty_exponent, tick=tick, currency="USDT"
    )


async def until(condition: Callable[[], Any], what: str) -> Any:
    end = clock.monotonic_s() + PATIENCE_S
    while clock.monotonic_s() < end:
        if found := condition():
            return found
        await asyncio.sleep(0.01)
    pytest.fail(f"{what} did not happen within {PATIENCE_S:g} s")


@asynccontextmanager
async def playing(source: Source, scales: Iterable[SimpleNamespace]) -> AsyncIterator[Platform]:
    stage = Platform(source, scales)
    running = asyncio.create_task(source.run(stage))
    try:
        yield stage
        if running.done():
            running.result()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
