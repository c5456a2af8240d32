"""What was missed while the line was down is read from the venue afterwards."""

from __future__ import annotations

import asyncio

import pytest
from asgiref.sync import sync_to_async

from market.feed import recovery, wal
from market.sources.base import HistoryAway, PastBar, Source, Stage, State
from market.sources.binance_book import Symbol
from market.sources.items import Gap
from market.sources.live.binance import BinanceSource
from market.sources.live.okx import OkxSource
from market.ticks import Print
from simgame.kernel import clock
from simgame.kernel.clock import NS_PER_S
from tests.feed.conftest import until
from tests.feed.left import recomputed_bars, stored_bars
from tests.sources.stage import playing, scale
from tests.venues.process import venue

MINUTE = 60


class Remembers(Source):
    """A venue that is silent and remembers everything; `away` it answers nobody."""

    name = "venue"
    away = False  # keeps_history is not set: only the test itself asks

    def __init__(self) -> None:
        super().__init__()
        self.bars: list[PastBar] = []
        self.asked: list[tuple[str, str, int, int]] = []

    async def run(self, stage: Stage) -> None:
        self.become(State.CONNECTING)
        self.become(State.LIVE)
        await asyncio.Event().wait()

    async def past_bars(self, symbol: str, interval: str, first: int, last: int) -> list[PastBar]:
        self.asked.append((symbol, interval, first, last))
        if self.away:
            raise HistoryAway("maintenance")
        return [bar for bar in self.bars if bar.interval == interval and first <= bar.start <= last]


def trade(at_s: int, price: int, number: int) -> Print:
    return Print("ALB", price, 10, "buy", at_s * NS_PER_S, clock.now_ns(), "venue", 1, number)


@pytest.mark.django_db(transaction=True)
async def test_bars_over_an_outage_are_made_whole_and_stay_so_after_a_restart(runner, seeded):
    source = Remembers()
    fourth = (
        clock.now_ns() // NS_PER_S // MINUTE * MINUTE - 4 * MINUTE
    )  # four minutes ago, and three, and two
    third, second = fourth + MINUTE, fourth + 2 * MINUTE
    async with runner.running(seeded, source=source) as feed:
        await until(lambda: source.live, "the venue")
        price = feed.state.references["ALB"].previous_close
        feed.path.take([trade(fourth + 5, price, 1), Gap("venue", "", fourth * NS_PER_S + 1)])
        feed.path.take([trade(second + 5, price, 2)])
        await feed._write_bars()
        before = await sync_to_async(stored_bars)()
        assert before["ALB", "1m", fourth][-1]
        assert before["ALB", "1m", second][-1]
        assert ("ALB", "1m", third) not in before  # nobody heard anything

        source.away = True
        await feed.backfill.look(source)
        assert feed.backfill.waiting
        source.away = False
        for start, volume in ((fourth, 50), (third, 70), (second, 5)):
            bar = (price, price + 10, price, price + 10, volume, volume * price, 4)
            source.bars.append(PastBar("ALB", "1m", start, *bar))
        source.asked.clear()
        await feed.backfill.look(source)
        assert ("ALB", "1m", fourth, second) in source.asked
        await feed._write_bars()
        after = await sync_to_async(stored_bars)()
        whole = (price, price + 10, price, price + 10)
        assert after["ALB", "1m", fourth] == (*whole, 50, 50 * price, 4, False)
        assert after["ALB", "1m", third] == (*whole, 70, 70 * price, 4, False)
        assert after["ALB", "1m", second] == before["ALB", "1m", second]  # the venue had less than we heard
        assert (feed.backfill.filled, feed.backfill.refused) == (2, 1)
    filled = [one for one in wal.replay(feed.plan.folder) if isinstance(one, wal.Filled)]
    assert len(filled) == 2
    stored, recomputed = await sync_to_async(stored_bars)(), recomputed_bars(feed.plan.folder)
    assert recomputed
    assert {key: stored[key] for key in recomputed} == recomputed
    assert recovery.recover(feed.plan.folder).bars.series == recovery.recompute(feed.plan.folder).bars.series


async def test_binance_tells_its_bars():
    symbol = Symbol("COIN0USDT", "COIN0", "USDT", "0.01", "1")
    with venue("binance") as there:
        at = there.address
        source = BinanceSource([symbol], f"ws://{at}/stream", f"http://{at}")
        with pytest.raises(HistoryAway, match="no connection"):
            await source.past_bars("COIN0USDT", "1m", 600, 720)
        async with playing(source, [scale("COIN0USDT")]):
            await until(lambda: source.state is State.LIVE, "the source is live")
            bars = await source.past_bars("COIN0USDT", "1m", 600, 720)
        assert bars == [
            PastBar("COIN0USDT", "1m", start, 1000, 1050, 1000, 1050, 7, 7200, 2) for start in (600, 660, 720)
        ]
        assert source.keeps_history


async def test_okx_tells_its_bars_over_more_than_one_answer_and_none_that_still_forms():
    symbol = Symbol("COIN0USDT", "COIN0", "USDT", "0.01", "1")
    stranger = Symbol("GHOSTUSDT", "GHOST", "USDT", "0.01", "1")
    with venue("okx") as there:
        at = there.address
        source = OkxSource([symbol], f"ws://{at}/ws/v5/public", f"http://{at}")
        now = clock.now_ns() // NS_PER_S // MINUTE * MINUTE
        async with playing(source, [scale("COIN0USDT")]):
            await until(lambda: source.subscriptions.acknowledged, "the source is connected")
            bars = await source.past_bars("COIN0USDT", "1m", now - 400 * MINUTE, now)
            source.symbols[stranger.name] = stranger
            with pytest.raises(HistoryAway, match="51001"):
                await source.past_bars("GHOSTUSDT", "1m", now - MINUTE, now)
        assert [bar.start for bar in bars[:400]] == [now - n * MINUTE for n in range(400, 0, -1)]
        assert len(bars) in (400, 401)  # a minute may have ended meanwhile
        assert bars[0] == PastBar("COIN0USDT", "1m", bars[0].start, 1000, 1050, 1000, 1050, 7, 7200, 0)
        assert source.describe()["keeps_history"]
