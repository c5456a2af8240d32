"""Old snapshot + messages = new snapshot, for trades and bars, wherever a reader stood: also where the
messages come from the feed's short memory, because Redis is away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import hypothesis
from hypothesis import strategies as st
from msgspec.json import decode

from market.feed.bars import BarBuilder
from market.feed.hub import batch_of
from market.feed.publisher import RedisPublisher, encode
from market.feed.state import TRADES_KEPT, WorldState
from market.latest import Tail
from market.queries import merged
from market.ticks import Print
from tests.market.conftest import NOON_NS

NOWHERE = "unix:///nowhere/valkey.sock"
SECOND_NS = 1_000_000_000
INTERVAL = "1m"


@dataclass
class Facts:
    symbol: str = "ALB"
    currency: str = "CNY"
    price_exponent: int = 2
    qty_exponent: int = 0
    multiplier: int = 1


@dataclass
class Feed:
    """A feed's last room, without Redis; what it would have said at each flush."""

    runner: asyncio.Runner
    state: WorldState = field(default_factory=WorldState)
    bars: BarBuilder = field(default_factory=BarBuilder)
    seq: int = 0

    def __post_init__(self) -> None:
        self.publisher = RedisPublisher(
            NOWHERE,
            slug="seeded",
            timezone="UTC",
            epoch="e",
            scales={"ALB": Facts()},
            state=self.state,
            bars=self.bars,
        )

    def flush(self, at_s: list[int]) -> None:
        ticks = []
        for moment in at_s:
            self.seq += 1
            at_ns = NOON_NS + moment * SECOND_NS
            ticks.append(Print("ALB", 1_000 + self.seq, 100, "buy", at_ns, at_ns, "made", seq=self.seq))
        for tick in ticks:
            self.state.apply(tick)
            self.bars.apply(tick)
        if ticks:
            self.publisher.offer(batch_of(ticks))
        self.publisher.offer_bars(self.bars.take_dirty())
        self.runner.run(self.publisher.flush())

    def tails(self) -> tuple[Tail, Tail]:
        trades = decode(encode(self.publisher.trades_of("ALB")))
        bars = decode(encode(self.publisher.bars_of("ALB", INTERVAL)))
        return _tail(trades, "trades"), _tail(bars, "bars")


def _tail(said: dict[str, Any], rows: str) -> Tail:
    return Tail(said["epoch"], said["offset"], said[rows], said["at"], said["forgot"])


# What happens in one flush: trades so many seconds after the last one; now and then one comes late.
steps = st.lists(st.lists(st.sampled_from([0, 1, 7, 61, 130, -70]), max_size=4), min_size=1, max_size=12)


@hypothesis.given(steps)
@hypothesis.settings(max_examples=60)
def test_whoever_stood_somewhere_is_told_what_followed_or_that_nobody_knows(flushes: list[list[int]]):
    with asyncio.Runner() as runner:
        feed, now = Feed(runner), 1_000
        feed.flush([now])
        history = [feed.tails()]
        for gaps in flushes:
            moments = []
            for gap in gaps:
                moments.append(now + gap)
                now = max(now, now + gap)
            feed.flush(moments)
            history.append(feed.tails())
        trades, bars = history[-1]
        for old_trades, old_bars in history:
            said = trades.since(old_trades.offset)
            assert said is not None, "fewer than 50 trades are never forgotten"
            assert [at for at, _ in said] == list(range(old_trades.offset + 1, trades.offset + 1))
            assert old_trades.rows + [row for _, rows in said for row in rows] == trades.rows
            told = bars.since(old_bars.offset)
            if told is not None:
                assert [at for at, _ in told] == list(range(old_bars.offset + 1, bars.offset + 1))
                assert merged(old_bars.rows, [rows[-1] for _, rows in told])[-2:] == bars.rows
        runner.run(feed.publisher.close())


def test_the_last_minute_is_always_known():
    with asyncio.Runner() as runner:
        feed = Feed(runner)
        feed.flush([0])
        for second in range(1, 59):
            before = feed.tails()[1]
            feed.flush([second])
            said = feed.tails()[1].since(before.offset)
            assert said is not None
            assert said[-1][1] == feed.tails()[1].rows[-1:]
        runner.run(feed.publisher.close())


def test_a_tape_that_has_run_on_is_no_longer_known():
    with asyncio.Runner() as runner:
        feed = Feed(runner)
        feed.flush([0])
        feed.flush([1] * TRADES_KEPT)
        trades, _ = feed.tails()
        assert trades.since(0) is None
        assert trades.since(1) is None, "perhaps some of the second message are gone, too"
        assert trades.since(2) == []
        assert trades.since(3) is None, "the future"
        runner.run(feed.publisher.close())
