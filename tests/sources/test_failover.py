"""Two sources of one market: who speaks, and what is heard when they change."""

from __future__ import annotations

import asyncio

import pytest

from market.sources import failover
from market.sources.base import Source, Stage, State
from market.sources.binance_book import Symbol
from market.sources.failover import Failover, Unknown
from market.sources.live.binance import BinanceSource
from market.sources.live.okx import OkxSource
from market.ticks import Print, Quote
from simgame.kernel import clock
from tests.sources.stage import playing, scale, until
from tests.venues.crypto import SYMBOLS
from tests.venues.process import Street, Venue

WANTED = SYMBOLS[:3]


class Script(Source):
    """A source that says what the test tells it to."""

    def __init__(self, name: str):
        super().__init__()
        self.name = name
        self.items: asyncio.Queue[Quote | Print] = asyncio.Queue()

    async def run(self, stage: Stage) -> None:
        self.become(State.CONNECTING)
        self.become(State.LIVE)
        while True:
            await stage.put(await self.items.get())

    def say(self, *prints: Print) -> None:
        for one in prints:
            self.items.put_nowait(one)

    def die(self) -> None:
        self.become(State.BACKOFF, "the line is cut")

    def recover(self) -> None:
        self.become(State.CONNECTING)
        self.become(State.LIVE)


def trade(source: str, price: int, at_ns: int, size: int = 1) -> Print:
    return Print("COIN0USDT", price, size, "buy", at_ns, at_ns, source)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failover, "CHECK_S", 0.02)


async def test_the_backup_goes_on_where_the_primary_stopped_and_nothing_is_heard_twice() -> None:
    first, second = Script("a"), Script("b")
    both = Failover([first, second])
    now = clock.now_ns()
    market = [trade("", 100 + n, now + n) for n in range(10)]
    async with playing(both, [scale("COIN0USDT")]) as stage:
        await until(lambda: both.chosen and both.chosen.source is first, "the first speaks")
        first.say(*market[:6])
        second.say(*market[:8])
        await until(lambda: both._members[1].items == 8, "both have spoken")
        assert [t.price for t in stage.ticks] == [100, 101, 102, 103, 104, 105]
        first.die()
        await until(lambda: both.chosen.source is second, "the second speaks")
        second.say(*market[8:])
        await until(lambda: len(stage.ticks) >= 10, "the rest")
        assert [t.price for t in stage.ticks] == list(range(100, 110))
        assert both.switches[-1]["from"] == "a"
        assert "cut" in str(both.switches[-1]["why"])


async def test_two_equal_trades_of_one_source_both_pass() -> None:
    both = Failover([Script("a"), Script("b")])
    twins = [trade("", 100, clock.now_ns())] * 2
    async with playing(both, [scale("COIN0USDT")]) as stage:
        await until(lambda: both.chosen, "somebody speaks")
        both.sources[0].say(*twins)  # type: ignore[attr-defined]
        await until(lambda: len(stage.ticks) == 2, "both")
        both.sources[1].say(*twins, trade("", 101, clock.now_ns()))  # type: ignore[attr-defined]
        both.force("b")
        await until(lambda: len(stage.ticks) == 3, "only what is new")


async def test_a_primary_that_limps_is_taken_back_only_when_it_is_well_for_a_while() -> None:
    first, second = Script("a"), Script("b")
    both = Failover([first, second])
    async with playing(both, [scale("COIN0USDT")]):
        await until(lambda: both.chosen and both.chosen.source is first, "the first speaks")
        first.die()
        await until(lambda: both.chosen.source is second, "the second speaks")
        first.recover()
        await until(lambda: both._members[0].good >= 2, "two good looks")
        if both._members[0].good < failover.GOOD_CHECKS:
            assert both.chosen.source is second
        await until(lambda: both.chosen.source is first, "the first speaks again")
        assert both._members[0].good >= failover.GOOD_CHECKS
        assert len(both.switches) == 3


async def test_an_operator_forces_one_and_a_wrong_name_is_refused() -> None:
    both = Failover([Script("a"), Script("b")])
    async with playing(both, [scale("COIN0USDT")]):
        await until(lambda: both.chosen, "somebody speaks")
        with pytest.raises(Unknown, match="it has a, b"):
            both.force("c")
        both.force("b")
        await until(lambda: both.chosen.source.name == "b", "the forced one speaks")
        both.force("")
        await until(lambda: both.chosen.source.name == "a", "the best one speaks")


@pytest.fixture
def venues(street: Street) -> tuple[Venue, Venue]:
    return street.fresh("binance"), street.fresh("okx")


async def test_two_real_venues_the_first_goes_away_and_comes_back(venues: tuple[Venue, Venue]) -> None:
    listed = [Symbol(name, "", "USDT", "0.01", "1") for name in WANTED]
    one, other = venues
    first = BinanceSource(listed, f"ws://{one.address}/stream", f"http://{one.address}")
    second = OkxSource(listed, f"ws://{other.address}/ws/v5/public")
    both = Failover([first, second])
    async with playing(both, [scale(name) for name in WANTED]) as stage:
        await until(lambda: both.chosen and both.chosen.source is first, "the first speaks")
        await until(lambda: second.state is State.LIVE, "the second stands by")
        one.control("down")
        await until(lambda: both.chosen.source is second, "the second speaks")
        before = len(stage.ticks)
        await until(lambda: len(stage.ticks) > before + 20, "the market goes on")
        assert {tick.source for tick in stage.ticks[before + 5 :]} == {"okx"}
        one.control("up")
        await until(lambda: both.chosen.source is first, "the first is taken back")
