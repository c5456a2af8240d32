"""Where a message's processor time goes in the feed: its own code, batch after batch, in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from market.feed import wal
from market.feed.bars import BarBuilder
from market.feed.hub import Hub, Link, batch_of
from market.feed.pipeline import Pipeline
from market.feed.sequence import Numbering
from market.feed.state import WorldState
from market.models import Instrument
from market.sources.binance_book import Symbol
from market.sources.items import Item
from market.sources.live.binance import BinanceDialect
from market.ticks import Tick
from ops.soak.dialects import Binance
from ops.soak.street import Market, listed
from simgame.kernel import clock

BATCH, BATCHES, WARM = 16, 1_500, 100
LINKS = 10


class Stages:
    def __init__(self, folder: Path, symbols: list[str]):
        self.market, self.speech = Market(symbols), Binance()
        self.dialect = BinanceDialect({name: Symbol.of(listed(name)) for name in symbols})
        self.pipeline = Pipeline(Instrument.objects.filter(symbol__in=symbols), Numbering.RISING)
        self.wal = wal.Wal(folder / "stages", wal.Fsync.NEVER)
        self.state, self.bars, self.hub = WorldState(), BarBuilder(market_day=20_261_102), Hub()
        self.links = [Link(f"bench{n}") for n in range(LINKS)]
        for link in self.links:
            self.hub.join(link)
        self.spent: dict[str, float] = {}
        for name in symbols:
            one = self.market.named[name]
            book = {"lastUpdateId": one.quote, "bids": one.levels("b"), "asks": one.levels("a")}
            list(self.dialect.snapshot(name, book, clock.now_ns()))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.thread_time()
        yield
        self.spent[name] = self.spent.get(name, 0.0) + time.thread_time() - began

    def run(self) -> dict[str, float]:
        """Microseconds per message and stage."""
        for number in range(WARM + BATCHES):
            if number == WARM:
                self.spent = {}
            self._batch()
        self.wal.close()
        return {name: round(seconds / (BATCH * BATCHES) * 1e6, 1) for name, seconds in self.spent.items()}

    def _batch(self) -> None:
        now_ns = clock.now_ns()
        frames = [self._frame(now_ns) for _ in range(BATCH)]
        items: list[Item] = []
        with self.stage("decode"):
            for frame in frames:
                items += self.dialect.read(frame, now_ns)  # type: ignore[arg-type]
        with self.stage("judge"):
            passed = [self.pipeline.take(item, now_ns) for item in items]
        ticks: list[Tick] = [one.tick for one in passed if one.tick is not None]
        with self.stage("number, encode"):
            first = self.state.seq + 1
            batch = batch_of([msgspec.structs.replace(tick, seq=first + n) for n, tick in enumerate(ticks)])
        with self.stage("log"):
            self.wal.append(batch.payload, now_ns)
        with self.stage("state, bars"):
            _each(self.state.apply, batch.ticks)
            _each(self.bars.apply, batch.ticks)
            self.bars.take_dirty()
        with self.stage("fan-out"):
            self.hub.pass_on(batch)
            for link in self.links:
                _now(link.next())

    def _frame(self, now_ns: int) -> str:
        place, what = self.market.next()
        written = self.speech.write(self.market.instruments[place], what, now_ns // clock.NS_PER_MS)
        return written[2 if written[1] < 126 else 4 :].decode()  # without the head of the frame


def _each(do: Callable[[Tick], Any], ticks: list[Tick]) -> None:
    for tick in ticks:
        do(tick)


def _now(ready: Any) -> None:
    """Run a coroutine that need not wait."""
    try:
        ready.send(None)
    except StopIteration:
        return
    raise RuntimeError("a link with frames had to wait")


def measure(home: Path, symbols: list[str]) -> dict[str, float]:
    return Stages(home, symbols).run()
