"""Operators send less for a while: readers get the present state slower, or later, and never a wrong one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from asgiref.sync import sync_to_async

from realtime import degrade
from realtime.degrade import Degrade
from simgame.switches import runtime
from tests.realtime.conftest import House, Town, eventually, open_house, quick
from trading import sockets

PUBLIC = ["quote:gold", "board:all", "trades:gold", "tape:gold"]


class Panel:
    wanted = Degrade()
    broken = False

    async def read(self) -> Degrade:
        if self.broken:
            raise ConnectionError("the database is away")
        return self.wanted


@pytest.fixture
def panel() -> Iterator[Panel]:
    panel = Panel()
    degrade.register(panel.read)
    yield panel
    degrade.forget()


def said(town: Town, number: int) -> list:
    rows = [town.say(topic, {"n": number}) for topic in PUBLIC if topic != "board:all"]
    return [*rows, town.say("board:all", {"a": {"n": number}}), town.say("purse:1", {"n": number})]


async def test_conflating_makes_frames_fewer_and_leaves_private_ones_alone(town: Town, panel: Panel):
    async with open_house(quick(degrade_s=0.01)) as house, house.visit() as alice:
        await alice.ask(op="auth", token="alice-token")
        await alice.subscribe(*PUBLIC, "purse:1")
        panel.wanted = Degrade(conflate_ms=200)
        await eventually(lambda: house.hub.degrade == panel.wanted)
        [socket] = house.hub.sockets
        assert set(socket.groups) == {(200, False), (0, True)}
        for number in range(10):
            house.hub.deliver(said(town, number))
        for topic in [*PUBLIC, "purse:1"]:
            await alice.until(lambda: alice.position[topic][1] == 10)  # noqa: B023
            assert alice.state[topic] == dict(town.truth(topic).data)
        pushes = [push["topic"] for push in alice.pushes]
        assert pushes.index("quote:gold") > pushes.index("purse:1")
        assert pushes.count("quote:gold") < 10
        assert pushes.count("trades:gold") == pushes.count("purse:1") == 10, "every message counts, still"
        panel.wanted = Degrade()
        await eventually(lambda: set(socket.groups) == {(0, False), (0, True)})


async def test_a_paused_kind_is_silent_and_then_present(town: Town, panel: Panel):
    async with open_house(quick(degrade_s=0.01)) as house, house.visit() as alice:
        await alice.ask(op="auth", token="alice-token")
        await alice.subscribe("quote:gold", "board:all", "tape:gold", "purse:1")
        panel.wanted = Degrade(paused=frozenset({"board", "tape", "purse"}))
        await eventually(lambda: house.hub.degrade == panel.wanted)
        for number in range(3):
            house.hub.deliver(said(town, number))
        await alice.until(lambda: alice.position["quote:gold"][1] == alice.position["purse:1"][1] == 3)
        assert alice.position["board:all"][1] == alice.position["tape:gold"][1] == 0
        assert house.hub.counters.messages_paused == 6
        panel.wanted = Degrade()
        await alice.until(lambda: alice.position["board:all"][1] == alice.position["tape:gold"][1] == 3)
        for topic in ("board:all", "tape:gold"):
            assert alice.state[topic] == dict(town.truth(topic).data)


async def test_when_nobody_can_say_all_stays_as_it_was(town: Town, panel: Panel):
    panel.wanted = Degrade(conflate_ms=500)
    async with open_house(quick(degrade_s=0.01)) as house:
        await eventually(lambda: house.hub.degrade == panel.wanted)
        panel.broken = True
        async with house.visit() as guest:
            await guest.subscribe("quote:gold")
            [socket] = house.hub.sockets
            assert set(socket.groups) == {(500, False)}


@pytest.mark.django_db(transaction=True)
async def test_the_switches_of_the_game_are_read(house: House):
    sockets.register_switches()
    try:
        await sync_to_async(runtime.set_value)("stream.paused_kinds", "depth trades", "olga")
        await sync_to_async(runtime.set_value)("stream.conflate_ms", 250, "olga")
        assert await degrade.now() == Degrade(250, frozenset({"depth", "trades"}))
    finally:
        degrade.forget()
        await sync_to_async(runtime.clear)("stream.paused_kinds", "olga")
        await sync_to_async(runtime.clear)("stream.conflate_ms", "olga")
