"""A feed that plays a recording: to its end, round and round, sought, and restarted."""

from __future__ import annotations

from collections import Counter

import pytest
from asgiref.sync import sync_to_async

from market import errors
from market.feed import client, wal
from market.ticks import PhaseTick, Print, Reference
from simgame.kernel import clock
from tests.feed import recordings as made
from tests.feed.conftest import replay, until
from tests.feed.left import recomputed_bars, stored_bars, ticks_in

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_recording_plays_to_its_end_and_says_so(runner, transactional_db, tmp_path):
    world = await sync_to_async(replay)(made.ctp(tmp_path), loop=False)
    async with runner.running(world, speed=1000) as feed:
        await until(lambda: feed.source.state == "ended", "the end")
        await until(lambda: feed.state.phase.phase == "closed" and feed.state.phase.note, "the last word")
        assert feed.state.phase.note == "recording ended"
        assert feed.state.days["rb1910"].volume == 95
        assert feed.state.close_of("rb1910") == 3715
    ticks = ticks_in(feed.plan.folder)
    assert [tick.price for tick in ticks if isinstance(tick, Print)] == [3716, 3717, 3715, 3715]
    phases = [tick.phase for tick in ticks if isinstance(tick, PhaseTick)]
    changes = [phase for phase, before in zip(phases, ["", *phases], strict=False) if phase != before]
    assert changes == [
        *("closed", "auction", "auction_locked", "continuous", "break", "continuous"),
        *("break", "continuous", "closed"),
    ]
    (reference,) = [tick for tick in ticks if isinstance(tick, Reference)]
    assert (reference.previous_close, reference.market_day) == (3737, 20190610)
    stored, recomputed = await sync_to_async(stored_bars)(), recomputed_bars(feed.plan.folder)
    assert stored == recomputed
    day = stored["rb1910", "1d", 1560124800]
    assert day == (3716, 3717, 3715, 3715, 95, 3716 * 50 + 3717 * 30 + 3715 * 15, 4, False)


async def test_a_loop_is_a_new_market_day_with_yesterdays_close(runner, transactional_db, tmp_path):
    world = await sync_to_async(replay)(made.ctp(tmp_path), loop=True)
    async with runner.running(world, speed=1000) as feed:
        await until(lambda: feed.state.phase.market_day == 20190612, "the third day")
    ticks = ticks_in(feed.plan.folder)
    references = {tick.market_day: tick.previous_close for tick in ticks if isinstance(tick, Reference)}
    assert references[20190610] == 3737
    assert references[20190611] == references[20190612] == 3715
    times = [tick.at_ns for tick in ticks if isinstance(tick, Print)]
    assert times == sorted(times)
    per_day = Counter(clock.from_ns(at).day for at in times)
    assert per_day[10] == per_day[11] == 4


async def test_a_restart_in_a_replay_neither_repeats_nor_loses_a_trade(runner, transactional_db, tmp_path):
    rest = "1.0,1.0,3700.0,3710.0,3690.0"
    rows = "".join(
        f"20190610 09:{n // 60:02}:{n % 60:02},{3700 + n % 7}.0,{(n + 1) * 10}.0,{rest}\n" for n in range(600)
    )
    world = await sync_to_async(replay)(made.ctp(tmp_path, rows), loop=False)
    for wanted in (50, 200, 600):
        async with runner.running(world, speed=100) as feed:
            await until(lambda: feed.state.days and feed.state.days["rb1910"].prints >= wanted, "the trades")  # noqa: B023
    ticks = ticks_in(feed.plan.folder)
    assert [tick.size for tick in ticks if isinstance(tick, Print)] == [10] * 600
    assert [tick.seq for tick in ticks] == list(range(1, len(ticks) + 1))
    assert await sync_to_async(stored_bars)() == recomputed_bars(feed.plan.folder)


async def test_seek_speed_and_pause_of_a_replay(runner, transactional_db, tmp_path):
    rows = "".join(
        f"20190610 09:{n:02}:00,{3700 + n}.0,{(n + 1) * 10}.0,1.0,1.0,3700.0,3760.0,3690.0\n"
        for n in range(60)
    )
    world = await sync_to_async(replay)(made.ctp(tmp_path, rows), loop=True)
    async with runner.running(world, speed=1) as feed:
        address = feed.server.address
        await until(lambda: feed.state.quotes, "the first quote")
        answer = await client.ask(address, {"op": "control", "seek": "09:30:30"})
        assert answer["world_time"].startswith("2019-06-10T01:30:3")
        await until(lambda: feed.state.quotes["rb1910"].bids[0][0] == 3729, "the quote of 09:30")
        assert feed.state.days["rb1910"].prints == 1  # what was skipped is no trade
        with pytest.raises(errors.BadControl, match="outside the recording"):
            await client.ask(address, {"op": "control", "seek": "2020-01-01T00:00:00Z"})
        with pytest.raises(errors.BadControl, match="no time"):
            await client.ask(address, {"op": "control", "seek": "noon"})
        await client.ask(address, {"op": "control", "seek": "09:10:30"})  # backwards: the next lap
        await until(lambda: feed.state.phase.market_day == 20190611, "the next day")
        status = await client.ask(address, {"op": "status"})
        assert status["market_day"] == "2019-06-11"
        assert "2019-06-11T01:10" <= status["phase_at"] <= status["world_time"]
        await client.ask(address, {"op": "control", "speed": 1000})
        await until(lambda: feed.state.days["rb1910"].last == 3759, "the end of the hour")
        assert feed.speed == 1000
    gaps = [written for written in wal.replay(feed.plan.folder) if isinstance(written, wal.GapRecord)]
    assert len(gaps) == 2


async def test_the_real_binance_recording_goes_round(runner, transactional_db, recordings):
    world = await sync_to_async(replay)(recordings / "cryptofeed_raw" / "BINANCE.0")
    async with runner.running(world, speed=30) as feed:
        await until(lambda: feed.source.lap >= 2, "the third lap")
        assert not feed.pipeline.gate.refused
        assert feed.pipeline.sequence.gaps == 0
    times = [tick.at_ns for tick in ticks_in(feed.plan.folder) if isinstance(tick, PhaseTick)]
    assert times == sorted(times)
