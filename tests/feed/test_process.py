"""The whole feed: take over, pause, recover, go on without Redis."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from itertools import takewhile

import pytest
import redis
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.management import CommandError, call_command

from market import errors, worlds
from market.feed import client, steer, store, wal
from market.feed.client import FeedClient
from market.feed.process import Superseded
from market.feed.recovery import StoredBar
from market.models import FeedLease, Quarantined
from market.sources.items import RawPrint
from market.ticks import Print, Quote
from simgame.kernel import clock
from tests.feed.conftest import PATIENCE_S, until
from tests.feed.left import recomputed_bars, stored_bars, ticks_in

pytestmark = pytest.mark.django_db(transaction=True)


# --- the seeded world ----------------------------------------------------------------------------------


async def test_a_reader_sees_every_instrument_and_a_market_that_moves(runner, seeded):
    async with runner.running(seeded) as feed:
        reader = FeedClient(seeded.number, address=feed.server.address)
        ticks = aiter(reader)
        snapshot = await anext(ticks)
        kinds = Counter(type(tick).__name__ for tick in snapshot)
        assert kinds["PhaseTick"] == 1
        assert kinds["Reference"] == 30
        seen: list = []
        async with asyncio.timeout(PATIENCE_S):
            while not any(isinstance(t, Print) for t in seen) or len(feed.state.quotes) < 30:
                seen += await anext(ticks)
        assert [tick.seq for tick in seen] == list(range(seen[0].seq, seen[0].seq + len(seen)))
        assert feed.state.quotes.keys() == feed.plan.ids.keys()
        await reader.close()


async def test_on_its_first_day_the_close_before_and_the_bands_are_the_markets_own(runner, seeded):
    runner.some_of = lambda past: takewhile(lambda bar: bar.symbol == "ALB", past)
    async with runner.running(seeded) as feed:
        stocks = feed.source.market.by_symbol
        told = {
            symbol: (reference.previous_close, reference.limit_low, reference.limit_high)
            for symbol, reference in feed.state.references.items()
        }
        assert feed.state.days["ALB"].open == stocks["ALB"].previous_close  # and has moved since
        assert told == {
            symbol: (stock.previous_close, stock.limit_low, stock.limit_high)
            for symbol, stock in stocks.items()
        }


async def test_a_second_feed_takes_over_and_the_first_leaves(runner, seeded):
    with pytest.raises(Superseded):  # noqa: PT012
        async with runner.running(seeded) as first:
            seq, epoch = first.state.seq, first.epoch
            async with runner.running(seeded) as second:
                assert second.epoch == epoch + 1
                assert second.state.seq > seq
                answer = await client.ask(f"unix:{second.plan.socket_path}", {"op": "status"})
                assert answer["epoch"] == second.epoch
    lease = await FeedLease.objects.aget(world=seeded)
    assert lease.epoch == epoch + 1


async def test_who_asks_again_and_again_finds_a_feed_that_moved(runner, seeded, tmp_path, monkeypatch):
    """The exchange asks several times a second: where the feed listens is read once, until nobody answers."""
    reads, where = [], client.address_of

    async def counted(world_number: int) -> str:
        reads.append(world_number)
        return await where(world_number)

    monkeypatch.setattr(client, "address_of", counted)
    line = client.Line(seeded.number)
    with pytest.raises(errors.FeedUnavailable):
        await line.ask({"op": "status"})
    for place in ("here", "elsewhere"):
        reads.clear()
        async with runner.running(seeded, socket_path=tmp_path / f"{place}.sock"):
            for _ in range(3):
                assert (await line.ask({"op": "status"}))["op"] == "status"
            assert len(reads) == 1
        with pytest.raises(errors.FeedUnavailable):
            await line.ask({"op": "status"})


async def test_a_feed_that_does_not_leave_is_named(runner, seeded, monkeypatch):
    monkeypatch.setattr("market.feed.run.TAKE_OVER_S", 0.2)
    with suppress(Superseded):  # the first one hears of the second at its next beat, now or later
        async with runner.running(seeded):
            with pytest.raises(errors.FeedHeld, match="did not leave"):
                async with runner.running(seeded):
                    pass
            monkeypatch.undo()
            await sync_to_async(FeedLease.objects.filter(world=seeded).update)(epoch=1)


async def test_after_a_restart_it_goes_on_where_it_was(runner, seeded):
    async with runner.running(seeded) as feed:
        await until(lambda: feed.state.trades, "a trade")
        await until(lambda: len(feed.state.quotes) == 30, "every quote")
    quotes, days, seq = dict(feed.state.quotes), dict(feed.state.days), feed.state.seq
    async with runner.running(seeded) as again:
        assert again.state.seq > seq
        assert again.epoch == feed.epoch + 1
        assert again.state.quotes.keys() == quotes.keys()
        assert all(again.state.days[symbol].volume >= day.volume for symbol, day in days.items())
        told = again.published
        await until(lambda: again.published > told + 30, "more ticks")
    ticks = ticks_in(feed.plan.folder)
    assert [tick.seq for tick in ticks] == list(range(1, len(ticks) + 1))
    trades = Counter((tick.source_epoch, tick.source_seq) for tick in ticks if isinstance(tick, Print))
    assert set(trades.values()) == {1}
    stored, recomputed = await sync_to_async(stored_bars)(), recomputed_bars(feed.plan.folder)
    assert recomputed
    assert {key: stored[key] for key in recomputed} == recomputed


async def test_a_torn_tail_does_not_begin_the_market_anew(runner, seeded):
    """Power is cut while the last record is on its way to the disk, and the checkpoint is there already."""
    async with runner.running(seeded) as feed:
        await until(lambda: feed.state.trades, "a trade")
    (segment,) = wal.segments(feed.plan.folder)
    seq, data = feed.state.seq, segment.read_bytes()
    segment.write_bytes(data[:-1])
    async with runner.running(seeded) as again:
        assert again.source.describe()["seed"] == feed.source.describe()["seed"]
        assert again.path.last.source_epoch == 0  # the same market
        await until(lambda: again.state.seq > seq + 30, "more ticks")
    ticks = ticks_in(feed.plan.folder)
    assert [tick.seq for tick in ticks] == list(range(1, len(ticks) + 1))
    numbers = [tick.source_seq for tick in ticks if isinstance(tick, Print)]
    assert len(set(numbers)) == len(numbers)
    stored, recomputed = await sync_to_async(stored_bars)(), recomputed_bars(feed.plan.folder)
    assert {key: stored[key] for key in recomputed} == recomputed
    begun = min(start for _, interval, start in recomputed if interval == "1m")
    assert {key for key in stored if key[1] == "1m" and key[2] >= begun} == {
        key for key in recomputed if key[1] == "1m"
    }


async def test_a_stop_in_the_middle_of_a_write_loses_no_bar(runner, seeded, monkeypatch):
    async with runner.running(seeded) as feed:
        with monkeypatch.context() as patched:
            asked: list[object] = []

            async def never_answers(*question: object, **__: object) -> None:
                asked.append(question)
                await asyncio.Event().wait()

            def waits() -> list[StoredBar]:
                """What came before may have been written a moment ago, all of it."""
                feed._share_bars()
                return feed.bar_writer.waiting()

            patched.setattr(feed.database, "run", never_answers)
            await until(lambda: asked, "the end of what the feed asked before")
            await until(waits, "a bar to write")
            writing = asyncio.create_task(feed._write_bars())
            await until(lambda: feed.bar_writer.in_flight, "bars on their way")
            writing.cancel()
            await asyncio.wait([writing])
    stored, recomputed = await sync_to_async(stored_bars)(), recomputed_bars(feed.plan.folder)
    assert {key: stored[key] for key in recomputed} == recomputed


async def test_unchanged_quotes_are_said_again_and_the_clock_every_second(runner, seeded, monkeypatch):
    monkeypatch.setattr("market.feed.process.REFRESH_NS", 0)
    async with runner.running(seeded) as feed:
        phase = feed.state.phase
        await until(lambda: feed.state.phase.at_ns > phase.at_ns + 10**9, "the next seconds")
    quotes: dict[tuple[str, int], list[Quote]] = {}
    for tick in ticks_in(feed.plan.folder):
        if isinstance(tick, Quote):
            quotes.setdefault((tick.symbol, tick.source_seq), []).append(tick)
    again = [told for told in quotes.values() if len(told) > 1]
    assert again
    for first, *others in again:
        for other in others:
            assert (other.bids, other.asks, other.at_ns) == (first.bids, first.asks, first.at_ns)
            assert other.seq > first.seq
            assert other.received_ns > first.received_ns


async def test_an_operator_pauses_and_resumes_through_the_lease(runner, seeded):
    async with runner.running(seeded) as feed:
        await sync_to_async(store.want)(seeded.number, paused=True)
        await until(lambda: feed.state.phase.phase == "paused", "the pause")
        assert feed.state.phase.paused
        steps = feed.source.market.step_no
        await sync_to_async(store.want)(seeded.number, paused=False)
        await until(lambda: feed.state.phase.phase == "continuous", "the resume")
        await until(lambda: feed.source.market.step_no > steps + 2, "the market")


async def test_control_on_the_socket_is_remembered(runner, seeded):
    async with runner.running(seeded) as feed:
        address = feed.server.address
        assert (await client.ask(address, {"op": "control", "paused": True}))["paused"] is True

        async def remembered() -> bool:
            return (await FeedLease.objects.aget(world=seeded)).paused

        async with asyncio.timeout(PATIENCE_S):
            while not await remembered():
                await asyncio.sleep(0.02)
        for wrong in (
            {"speed": 0},
            {"speed": 1001},
            {"speed": "fast"},
            {"paused": 1},
            {"seek": "10:00"},
            {"speed": 5},
        ):
            with pytest.raises(errors.BadControl):
                await client.ask(address, {"op": "control", **wrong})
        with pytest.raises(errors.BadControl, match="not known"):
            await client.ask(address, {"op": "dance"})


async def test_what_the_gate_refuses_lies_in_quarantine(runner, seeded):
    async with runner.running(seeded) as feed:
        at = feed.world_ns()
        await feed.put(RawPrint("ALB", float("nan"), 1, "buy", at, at, "evil"))
        await feed.put(RawPrint("GHOST", "1.00", 1, "buy", at, at, "evil"))
        async with asyncio.timeout(PATIENCE_S):
            while await Quarantined.objects.filter(world=seeded).acount() < 2:
                await asyncio.sleep(0.05)
        assert (await client.ask(feed.server.address, {"op": "status"}))["quarantined"] == {
            "not_a_number": 1,
            "unknown_instrument": 1,
        }
    assert not [tick for tick in ticks_in(feed.plan.folder) if getattr(tick, "source", "") == "evil"]
    reasons = Quarantined.objects.filter(world=seeded).values_list("reason", flat=True)
    assert sorted(await sync_to_async(list)(reasons)) == ["not_a_number", "unknown_instrument"]


async def test_without_redis_the_feed_goes_on(runner, seeded):
    async with runner.running(seeded, redis_url="unix:///nowhere/valkey.sock") as feed:
        await until(lambda: feed.state.trades, "a trade")
        answer = await client.ask(feed.server.address, {"op": "latest"})
        assert answer["quotes"]["ALB"]["bid"]
        assert answer["phase"]["phase"] == "continuous"
        assert answer["redis" if "redis" in answer else "seq"]


async def test_redis_holds_the_last_state(runner, seeded):
    server = redis.Redis.from_url(settings.REDIS_URL)
    async with runner.running(seeded) as feed:
        await until(lambda: feed.publisher.flushes > 3 and feed.state.trades, "a flush")
        symbol = next(iter(feed.state.trades))
        row = json.loads(server.hget(f"sg:latest:{seeded.slug}", symbol))
        assert row["symbol"] == symbol
        assert server.hlen(f"sg:latest:{seeded.slug}") == 30
        assert json.loads(server.get(f"sg:phase:{seeded.slug}"))["phase"] == "continuous"
        assert 0 < server.ttl(f"sg:phase:{seeded.slug}") <= 15
        await until(lambda: server.hget(f"sg:trades:{seeded.slug}", symbol), "trades")
        trades = json.loads(server.hget(f"sg:trades:{seeded.slug}", symbol))
        assert trades["epoch"] == feed.publisher.epoch
        assert trades["trades"][-1]["symbol"] == symbol
        assert server.hget(f"sg:offset:{seeded.slug}", "epoch").decode() == feed.publisher.epoch
    server.close()


async def test_a_redis_that_forgot_is_not_believed_before_it_has_everything_again(runner, seeded):
    """Half a board, and the bars of yesterday for the rest, would be an older state than was shown before."""
    server = redis.Redis.from_url(settings.REDIS_URL)
    offset, newest = (f"sg:{kind}:{seeded.slug}" for kind in ("offset", "latest"))

    def look() -> int:
        """How many rows there are, once it is said whose they are."""
        with server.pipeline(transaction=True) as pipe:
            epoch, rows = pipe.hget(offset, "epoch").hlen(newest).execute()
        return rows if epoch else 0

    def forget() -> None:
        if keys := server.keys(f"sg:*:{seeded.slug}"):
            server.delete(*keys)

    forget()  # what another feed left there
    async with runner.running(seeded) as feed:
        await until(look, "a board")
        for _ in range(3):
            flushes = feed.publisher.flushes
            forget()
            assert await until(look, "a board") == 30
            assert feed.publisher.flushes > flushes
    server.close()


# --- as a process --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_killed_with_9_it_comes_back_with_the_sequence_and_the_bars(child_env, tmp_path):
    world = worlds.ensure("seeded")
    env = {**child_env, "SIMGAME_HOME": str(tmp_path), "PYTHONFAULTHANDLER": "1"}
    command = [sys.executable, "manage.py", "run_feed", "--world", "seeded"]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, cwd=settings.BASE_DIR, env=env, stderr=subprocess.DEVNULL)

    def wait_for(seq: int, epoch: int) -> dict:
        end = clock.monotonic_s() + 60
        while clock.monotonic_s() < end:
            try:
                answer = client.ask_sync(world.number, {"op": "status"})
            except errors.FeedUnavailable:
                continue
            if answer["seq"] >= seq and answer["epoch"] == epoch:
                return answer
        pytest.fail("the feed did not come up")

    feed = start()
    try:
        before = wait_for(120, epoch=1)
        os.kill(feed.pid, signal.SIGKILL)
        feed.wait(20)
        feed = start()
        after = wait_for(before["seq"] + 60, epoch=2)
        assert after["sequence"]["gaps"] == 0
        feed.send_signal(signal.SIGTERM)
        assert feed.wait(30) == 0
    finally:
        if feed.poll() is None:
            feed.kill()
    folder = tmp_path / "wal" / "seeded"
    ticks = ticks_in(folder)
    assert [tick.seq for tick in ticks] == list(range(1, len(ticks) + 1))
    trades = Counter((tick.source_epoch, tick.source_seq) for tick in ticks if isinstance(tick, Print))
    assert set(trades.values()) == {1}
    stored, recomputed = stored_bars(), recomputed_bars(folder)
    assert {key: stored[key] for key in recomputed} == recomputed
    assert not (tmp_path / "run").exists() or not list((tmp_path / "run").glob("feed-*.sock"))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run_feed", "--world", "nowhere"], 1, "There is no world 'nowhere'"),
        (["run_feed", "--world", "replay:missing"], 1, "There is no recording 'missing'"),
        (["run_feed", "--world", "seeded", "--speed", "0"], 1, "Speed 0 is not possible"),
        (["feed", "status", "--world", "nowhere"], 1, "There is no world"),
        (["feed", "status", "--world", "seeded"], 1, "No feed of world"),
        (["feed", "speed", "--world", "seeded"], 1, "needs a value"),
        (["feed", "speed", "many", "--world", "seeded"], 1, "whole number from 1 to 1000"),
    ],
)
def test_the_commands_say_clearly_what_is_wrong(seeded, arguments, code, words):
    with pytest.raises(CommandError, match=words) as refused:
        call_command(*arguments)
    assert refused.value.returncode == code


def test_the_table_of_a_status_names_every_number():
    facts = {"a": 1, "b": {"c": 2, "d": {}}, "links": [{"name": "x"}, {"name": "y"}], "none": []}
    lines = dict(line.split(maxsplit=1) for line in steer.table(facts).splitlines())
    assert lines == {"a": "1", "b.c": "2", "links.1.name": "x", "links.2.name": "y", "none": "[]"}
