"""Who comes in, who is sent away, and with which number."""

from __future__ import annotations

import asyncio
import json

import pytest

from realtime.limits import Limits
from tests.realtime.conftest import House, Town, eventually, open_house, quick


async def test_it_says_hello_first(house: House):
    async with house.visit() as guest:
        hello = await guest.receive()
        assert hello["type"] == "hello"
        assert hello["v"] == 1
        assert hello["ping_s"] == 25
        assert hello["server_time"].endswith("Z")
        assert len(hello["session"]) == 32


async def test_a_guest_reads_public_topics_without_signing_in(house: House, town: Town):
    town.say("quote:gold", {"last": "10.00"})
    async with house.visit() as guest:
        await guest.subscribe("quote:gold")
        assert guest.state["quote:gold"] == {"last": "10.00"}


async def test_it_asks_a_guest_to_sign_in_before_a_private_topic(house: House):
    async with house.visit() as guest:
        answer = await guest.ask(op="subscribe", topics=[{"topic": "purse:1"}])
        assert answer["error"]["code"] == "UNAUTHENTICATED"
        assert answer["error"]["pointer"] == "/topics/0/topic"
        assert (await guest.ask(op="auth", token="alice-token"))["ok"]
        await guest.subscribe("purse:1")


async def test_another_players_purse_looks_like_one_that_does_not_exist(house: House, town: Town):
    async with house.visit() as alice:
        await alice.ask(op="auth", token="alice-token")
        bobs = await alice.ask(op="subscribe", topics=[{"topic": "purse:2"}])
        nobodys = await alice.ask(op="subscribe", topics=[{"topic": "quote:nowhere"}])
        assert bobs["error"]["code"] == nobodys["error"]["code"] == "UNKNOWN_TOPIC"
        assert bobs["error"]["message"].replace("purse:2", "") == nobodys["error"]["message"].replace(
            "quote:nowhere", ""
        )
        assert town.asked == ["quote:nowhere"]


@pytest.mark.parametrize(
    "topic", ["", "gold", "nokind:x", "quote:", "quote:a b", 'quote:"', "quote:" + "x" * 200, "QUOTE:x"]
)
async def test_it_refuses_a_topic_that_nobody_owns(house: House, topic: str):
    async with house.visit() as guest:
        answer = await guest.ask(op="subscribe", topics=[{"topic": "quote:gold"}, {"topic": topic}])
        assert answer["error"]["code"] == "UNKNOWN_TOPIC"
        assert answer["error"]["pointer"] == "/topics/1/topic"
    await eventually(lambda: not house.hub.sockets)
    assert not house.hub.groups, "one refusal refuses the whole subscription"


async def test_a_broken_owner_is_said_so_and_the_socket_lives(house: House, town: Town):
    town.broken = True
    async with house.visit() as guest:
        answer = await guest.ask(op="subscribe", topics=[{"topic": "quote:gold"}])
        assert answer["error"]["code"] == "TOPIC_UNAVAILABLE"
        town.broken = False
        await guest.subscribe("quote:gold")


# --- origin ------------------------------------------------------------------------------------
async def test_a_browser_signs_in_by_its_cookie(house: House):
    async with house.visit(cookie="alice-token", origin=house.origin) as alice:
        await alice.subscribe("purse:1")


@pytest.mark.parametrize(
    "origin", [None, "http://evil.example", "http://127.0.0.1:1", "null", "http://[", "file://x"]
)
async def test_it_refuses_a_cookie_from_a_foreign_page(house: House, origin: str | None):
    async with house.visit(cookie="alice-token", origin=origin) as thief:
        assert await thief.closed() == 4507


async def test_a_trusted_origin_may_use_the_cookie(house: House, settings):
    settings.CSRF_TRUSTED_ORIGINS = ["https://game.example", "https://*.games.example"]
    for origin in ("https://game.example", "https://eu.games.example"):
        async with house.visit(cookie="alice-token", origin=origin) as alice:
            assert (await alice.receive())["type"] == "hello"
    async with house.visit(cookie="alice-token", origin="http://game.example") as alice:
        assert await alice.closed() == 4507


async def test_a_page_at_a_rebound_name_is_foreign(house: House, settings):
    settings.ALLOWED_HOSTS = ["game.example"]
    async with house.visit(cookie="alice-token", origin=house.origin) as thief:
        assert await thief.closed() == 4507


async def test_a_foreign_page_without_a_session_is_a_guest(house: House):
    async with house.visit(cookie="unknown", origin="http://elsewhere.example") as guest:
        assert (await guest.receive())["type"] == "hello"


# --- signing in --------------------------------------------------------------------------------
async def test_a_bad_token_ends_the_conversation(house: House):
    async with house.visit() as bot:
        await bot.send({"id": 1, "op": "auth", "token": "stolen"})
        assert await bot.closed() == 4500


async def test_a_socket_signs_in_once(house: House):
    async with house.visit() as bot:
        assert (await bot.ask(op="auth", token="alice-token"))["ok"]
        assert (await bot.ask(op="auth", token="bob-token"))["error"]["code"] == "INVALID"


async def test_a_silent_guest_is_sent_away(town: Town):
    async with open_house(quick(auth_s=0.1, ping_s=0.2)) as house, house.visit() as guest:
        assert await guest.closed() == 4502


async def test_a_late_sign_in_is_refused_but_reading_goes_on_until_then(town: Town):
    async with open_house(quick(auth_s=0.05)) as house, house.visit() as bot:
        await bot.subscribe("quote:gold")
        await asyncio.sleep(0.06)
        assert (await bot.ask(op="ping"))["ok"]
        await bot.send({"op": "auth", "token": "alice-token"})
        assert await bot.closed() == 4502


async def test_a_revoked_session_loses_its_sockets_and_no_others(town: Town):
    limits = quick(revocation_s=0.05)
    async with open_house(limits) as house, house.visit() as alice, house.visit() as bob:
        await alice.ask(op="auth", token="alice-token")
        await bob.ask(op="auth", token="bob-token")
        town.revoked.add("login-alice")
        assert await alice.closed() == 4500
        assert (await bob.ask(op="ping"))["ok"]


def test_revocation_fits_into_five_seconds():
    assert Limits().revocation_s < 5


# --- silence -----------------------------------------------------------------------------------
async def test_who_does_not_answer_a_ping_is_let_go(town: Town):
    async with open_house(quick(ping_s=0.1, pong_s=0.1)) as house, house.visit() as sleeper:
        await sleeper.subscribe("quote:gold")
        assert await sleeper.closed() == 4012


async def test_who_answers_stays(town: Town):
    async with open_house(quick(ping_s=0.05, pong_s=0.2)) as house, house.visit() as guest:
        await guest.subscribe("quote:gold")
        for _ in range(6):
            said = json.loads(await guest.socket.recv())
            assert said == {"type": "ping"}
            await guest.send({"op": "pong"})
        assert (await guest.ask(op="ping"))["ok"]


# --- limits ------------------------------------------------------------------------------------
async def test_a_player_has_so_many_sockets(town: Town):
    async with open_house(quick(sockets_per_player=2)) as house:
        async with house.visit() as one, house.visit() as two, house.visit() as three, house.visit() as bobs:
            assert (await one.ask(op="auth", token="alice-token"))["ok"]
            assert (await two.ask(op="auth", token="alice-token"))["ok"]
            await three.send({"op": "auth", "token": "alice-token"})
            assert await three.closed() == 4504
            assert (await bobs.ask(op="auth", token="bob-token"))["ok"]
        async with house.visit() as again:
            await eventually(lambda: len(house.hub.sockets) == 1)
            assert (await again.ask(op="auth", token="alice-token"))["ok"]


async def test_a_worker_has_so_many_sockets(town: Town):
    async with open_house(quick(sockets_per_worker=1)) as house, house.visit() as first:
        await first.receive()
        async with house.visit() as second:
            assert await second.closed() == 4504


async def test_a_socket_has_so_many_topics(town: Town):
    town.known |= {f"quote:{n}" for n in range(5)}
    async with open_house(quick(topics_per_socket=3)) as house, house.visit() as guest:
        await guest.subscribe("quote:0", "quote:1", "quote:2")
        await guest.subscribe("quote:2")
        assert (await guest.ask(op="unsubscribe", topics=["quote:0", "quote:none"]))["ok"]
        await guest.subscribe("quote:3")
        await guest.send({"op": "subscribe", "topics": [{"topic": "quote:4"}]})
        assert await guest.closed() == 4505


async def test_who_talks_too_fast_is_asked_to_come_back_later(town: Town):
    async with open_house(quick(commands_burst=5, commands_per_s=0.01)) as house, house.visit() as guest:
        for _ in range(6):
            await guest.send({"op": "ping"})
        assert await guest.closed() == 4013


@pytest.mark.parametrize("said", ["nonsense", '{"a":NaN}', "[" * 9_000, '"x"' * 9_000, "[]", "7", "[1]"])
async def test_nonsense_ends_the_conversation(house: House, said: str):
    async with house.visit() as guest:
        await guest.send(said)
        assert await guest.closed() == 4501


async def test_a_binary_frame_ends_the_conversation(house: House):
    async with house.visit() as guest:
        await guest.socket.send(b"\x00")
        assert await guest.closed() == 4501


async def test_a_frame_of_64_kb_ends_the_conversation(house: House):
    async with house.visit() as guest:
        await guest.send({"op": "auth", "token": "x" * 65_536})
        assert await guest.closed() == 4501


async def test_at_the_end_everybody_is_asked_to_come_back(house: House):
    async with house.visit() as guest:
        await guest.subscribe("quote:gold")
        await house.hub.stop()
        assert await guest.closed() == 4001


async def test_nothing_is_left_of_those_who_went(house: House, town: Town):
    async with house.visit() as alice:
        await alice.ask(op="auth", token="alice-token")
        await alice.subscribe("purse:1", "quote:gold", "board:all", interval_ms=100)
    await eventually(lambda: not house.hub.sockets)
    assert not house.hub.groups
    assert not house.hub._by_player
    assert all(not state.groups and not state.opening for state in house.hub.states.values())


async def test_the_last_reader_of_a_topic_leaves_while_the_bus_is_down(house: House, town: Town):
    """Without the bus a topic is forgotten with its last reader: leaving still frees the player's place."""
    house.hub.bus_up = False
    async with house.visit() as alice:
        await alice.ask(op="auth", token="alice-token")
        await alice.subscribe("quote:gold", "board:all", "purse:1")
        answer = await alice.ask(op="unsubscribe", topics=["board:all"])
        assert answer["ok"]
    await eventually(lambda: not house.hub.sockets)
    assert not house.hub.states
    assert not house.hub._by_player
