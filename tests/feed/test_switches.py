"""Olga, an operator, turns switches of a feed while it runs."""

from __future__ import annotations

import asyncio
import json
from io import StringIO
from types import SimpleNamespace
from typing import cast

import pytest
from asgiref.sync import sync_to_async
from django.core.management import CommandError, call_command

from market.feed import recovery, wal
from market.feed.client import FeedClient
from market.feed.ingress import Ingress
from market.feed.intake import Intake
from market.feed.path import TickPath
from market.feed.turns import Turns
from market.feed.valve import Switches, Valve
from market.sources.base import Source
from market.sources.items import Gap, RawPrint, Reached
from market.ticks import Print, Quote
from simgame.kernel import clock
from simgame.kernel.clock import NS_PER_MS, NS_PER_S
from simgame.switches.models import SwitchChange
from tests.feed.conftest import until
from tests.feed.left import ticks_in

NOW = 1_793_620_800 * NS_PER_S


def turn(*words: str, world: str = "seeded") -> dict:
    out = StringIO()
    call_command("feed", "switch", *words, "--world", world, "--format", "json", stdout=out)
    return json.loads(out.getvalue())


def quote(number: int, symbol: str = "ALB") -> Quote:
    return Quote(symbol, ((100, number), (99, 1)), ((101, 1), (102, 1)), NOW, NOW, "okx", 1, number)


def trade(number: int, source: str = "okx", symbol: str = "ALB") -> Print:
    return Print(symbol, 100, 1, "buy", NOW, NOW, source, 1, number)


def test_a_throttle_lets_so_many_messages_in_and_no_more() -> None:
    valve = Valve()
    valve.turn(Switches(throttle=100), NOW)
    taken = 0
    for turn_ in range(2_000):  # two seconds, a turn each millisecond
        taken += valve.room(512, NOW + turn_ * NS_PER_MS)
    assert 299 <= taken <= 300  # a second's worth at once, then 100 a second
    assert valve.throttled > 0
    valve.turn(Switches(), NOW)
    assert valve.room(512, NOW) == 512


async def test_a_throttle_is_asked_for_room_now_and_then_not_all_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def at_once(self: Turns) -> None:
        """A turn of a millisecond: half of it is no time at all for uvloop."""

    monkeypatch.setattr(Turns, "begin", at_once)
    ingress, taken = Ingress(), []
    intake = Intake(ingress, cast(TickPath, SimpleNamespace(take=taken.extend)), cast(Source, None))
    intake.valve.turn(Switches(throttle=1), clock.now_ns())
    await ingress.put_all([trade(1), trade(2), trade(3)])
    running = asyncio.create_task(intake.run())
    for _ in range(3_000):
        await asyncio.sleep(0)
    assert intake.valve.throttled < 1_000
    intake.valve.turn(Switches(), clock.now_ns())
    await until(lambda: taken == [trade(1), trade(2), trade(3)], "what the throttle held back")
    running.cancel()


def test_a_paused_source_is_not_heard_and_both_ends_are_gaps() -> None:
    valve = Valve()
    assert valve.turn(Switches.of({"feed.paused_sources": "okx, nats"}), NOW) == [
        Gap("nats", "", NOW),
        Gap("okx", "", NOW),
    ]
    items = [trade(1), trade(2, "binance"), trade(3, "nats:SHFE"), Reached(NOW), Gap("okx", "", NOW)]
    assert valve.unpaused(items) == [items[1], items[3]]
    assert valve.paused == 3
    assert [gap.source for gap in valve.turn(Switches(), NOW)] == ["nats", "okx"]
    assert valve.unpaused(items) == items


def test_harder_conflation_keeps_the_latest_quote_and_loses_none_for_good() -> None:
    valve = Valve()
    valve.turn(Switches(conflate_ms=100, depth_off=True), NOW)
    passed = [valve.degraded(quote(n), NOW + n * 10 * NS_PER_MS) for n in range(1, 25)]
    told = [one.source_seq for one in passed if one is not None]
    assert told == [1, 11, 21]
    assert all(len(one.bids) == len(one.asks) == 1 for one in passed if one is not None)
    assert not list(valve.due(NOW + 250 * NS_PER_MS))
    assert [one.source_seq for one in valve.due(NOW + 310 * NS_PER_MS)] == [24]
    assert valve.conflated == 20  # of 24 three passed, and the last one when it was due
    assert not list(valve.due(NOW + NS_PER_S))


@pytest.mark.django_db(transaction=True)
async def test_a_running_feed_obeys_within_a_second_and_everything_is_recorded(runner, seeded):
    async with runner.running(seeded) as feed:
        reader = FeedClient(seeded.number, address=feed.server.address)
        ticks = aiter(reader)
        await anext(ticks)
        await until(lambda: len(feed.state.quotes) == 30, "every quote")
        turned = sync_to_async(turn)
        assert await turned("depth_off", "true") == {"depth_off": True}
        await until(lambda: feed.intake.valve.switches.depth_off, "the switch")
        assert (await turned("paused_symbols", "ALB MRT"))["paused_symbols"] == "ALB MRT"
        await until(lambda: feed.intake.valve.switches.paused_symbols, "the pause of two instruments")
        assert (await turned("paused_sources", "seeded"))["paused_sources"] == "seeded"
        await until(lambda: feed.intake.valve.paused, "the pause")
        assert feed.source.halted
        at = feed.world_ns()
        before = feed.intake.valve.paused
        await feed.put(RawPrint("ALB", "10.00", "1", "buy", at, at, "another"))
        await until(lambda: feed.intake.valve.paused > before, "a paused instrument")
        assert (await turned("paused_sources", ""))["paused_sources"] == ""
        seq = feed.state.seq
        await until(lambda: feed.state.seq > seq + 30, "the market again")
        while not reader.gaps:
            await anext(ticks)
        await reader.close()
    quotes = [one for one in ticks_in(feed.plan.folder) if isinstance(one, Quote) and one.seq > seq]
    assert {len(side) for one in quotes for side in (one.bids, one.asks)} == {1}
    assert {"ALB", "MRT"}.isdisjoint(one.symbol for one in quotes)
    gaps = [one.gap for one in wal.replay(feed.plan.folder) if isinstance(one, wal.GapRecord)]
    assert [gap.source for gap in gaps] == ["switch", "switch", "seeded", "seeded"]
    changes = SwitchChange.objects.order_by("id").values_list("key", "new", "by")
    assert [key async for key, _, _ in changes] == [
        *("feed.depth_off@seeded", "feed.paused_symbols@seeded"),
        *("feed.paused_sources@seeded", "feed.paused_sources@seeded"),
    ]


@pytest.mark.django_db(transaction=True)
async def test_switches_hold_for_their_world_and_otherwise_for_all(runner, seeded):
    await sync_to_async(call_command)("switch", "set", "feed.throttle", "700", stdout=StringIO())
    await sync_to_async(call_command)("switch", "set", "feed.throttle@elsewhere", "5", stdout=StringIO())
    async with runner.running(seeded) as feed:
        await until(lambda: feed.intake.valve.switches.throttle == 700, "the switch of all worlds")
        assert (await sync_to_async(turn)("throttle", "0"))["throttle"] == 0
        await until(lambda: feed.intake.valve.switches.throttle == 0, "the switch of this world")


@pytest.mark.django_db(transaction=True)
async def test_a_checkpoint_is_kept_while_a_throttle_holds_messages_back(runner, seeded):
    async with runner.running(seeded) as feed:
        await sync_to_async(turn)("throttle", "1")
        await until(lambda: len(feed.ingress) > 1, "messages that wait")
        seq = feed.state.seq
        kept = feed._checkpoint()
        assert kept.state.seq > seq  # what the market has made is in the log first
        assert not len(feed.ingress)
        await until(lambda: feed.intake.valve.throttled, "a throttle that makes up for it")
    assert recovery.recompute(feed.plan.folder).state.seq == feed.state.seq


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dance", "1"], "There is no switch"),
        (["dance"], "There is no switch"),
        (["throttle", "fast"], "a whole number"),
        (["throttle", "-1"], "takes 0 to"),
        (["depth_off", "1"], "true or false"),
    ],
)
@pytest.mark.django_db
def test_a_wrong_word_is_refused_with_a_sentence(seeded, words, said):
    with pytest.raises(CommandError, match=said) as refused:
        turn(*words)
    assert refused.value.returncode == 2
