"""Redis is a hint: when it dies, hangs, forgets or comes back, the readers end with the truth."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis
from redis._parsers import hiredis

from realtime.publish import BUS_CHANNEL, Breaker, Message, Publisher
from simgame.kernel import failpoints
from tests.realtime.conftest import House, Reader, Town, eventually, open_house, quick
from tests.realtime.valkey import Valkey

POLLED = quick(poll_s=0.05)


@pytest.fixture
async def publisher(valkey: Valkey) -> AsyncIterator[Publisher]:
    publisher = Publisher(valkey.url)
    yield publisher
    await publisher.aclose()


@pytest.fixture
async def post(town: Town, valkey: Valkey) -> AsyncIterator[House]:
    """A server that reads the bus."""
    async with open_house(POLLED, valkey.url) as house:
        await eventually(lambda: house.hub.bus_up)
        yield house


async def alice_reads(house: House, alice: Reader, *topics: str) -> None:
    await alice.ask(op="auth", token="alice-token")
    await alice.subscribe(*topics)


EVERYTHING = ("quote:gold", "board:all", "tape:gold", "purse:1")


def change_everything(town: Town, number: int) -> list[Message]:
    return [
        town.say("quote:gold", {"n": number}),
        town.say("board:all", {"a": {"n": number}, "b": None if number % 2 else {"n": 0}}),
        town.say("tape:gold", {"n": number}),
        town.say("purse:1", {"n": number}),
    ]


async def has_the_truth(alice: Reader, town: Town) -> None:
    await alice.until(
        lambda: all(alice.position[topic][1] == town.truth(topic).offset for topic in EVERYTHING)
    )
    for topic in EVERYTHING:
        assert alice.state[topic] == dict(town.truth(topic).data)


async def test_news_travels_over_the_bus_to_every_worker(
    post: House, town: Town, valkey: Valkey, publisher: Publisher
):
    async with open_house(POLLED, valkey.url) as other, post.visit() as alice, other.visit() as bob:
        await eventually(lambda: other.hub.bus_up)
        await alice.subscribe("quote:gold")
        await bob.subscribe("quote:gold")
        assert await publisher.publish_now([town.say("quote:gold", {"n": 1})])
        await alice.until(lambda: alice.state["quote:gold"] == {"n": 1})
        await bob.until(lambda: bob.state["quote:gold"] == {"n": 1})


async def test_what_the_bus_brings_is_not_written_out_for_a_log(
    post: House, town: Town, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
):
    """redis-py makes a text of each message of RESP 3, whether its log is read or not."""
    logs: list[str] = []
    found = logging.getLogger
    monkeypatch.setattr(hiredis, "getLogger", lambda name: logs.append(name) or found(name))
    async with post.visit() as alice:
        await alice.subscribe("quote:gold")
        await publisher.publish_now([town.say("quote:gold", {"n": 1})])
        await alice.until(lambda: alice.state["quote:gold"] == {"n": 1})
    assert not logs


async def test_a_command_publishes_without_an_event_loop(post: House, town: Town, publisher: Publisher):
    async with post.visit() as alice:
        await alice.subscribe("quote:gold")
        message = town.say("quote:gold", {"n": 1})
        assert await asyncio.to_thread(publisher.publish_now_sync, [message])
        await alice.until(lambda: alice.state["quote:gold"] == {"n": 1})


async def test_a_killed_redis_is_bridged_by_the_owners_and_joined_again(
    post: House, town: Town, valkey: Valkey, publisher: Publisher
):
    async with post.visit() as alice:
        await alice_reads(post, alice, "board:all")
        await alice.subscribe("purse:1", "quote:gold", "tape:gold")
        await publisher.publish_now(change_everything(town, 1))
        await has_the_truth(alice, town)

        valkey.kill()
        await eventually(lambda: not post.hub.bus_up)
        assert not await publisher.publish_now(change_everything(town, 2))
        await has_the_truth(alice, town)
        async with post.visit() as late:
            await late.subscribe("quote:gold")
            assert late.state["quote:gold"] == {"n": 2}

        valkey.start()
        await eventually(lambda: post.hub.bus_up)
        await eventually(lambda: publisher.breaker.allows(time.monotonic()))
        await publisher.publish_now(change_everything(town, 3))
        await has_the_truth(alice, town)
        assert publisher.dropped == len(EVERYTHING)


async def test_a_worker_that_fails_after_a_push_tells_nothing_twice_and_nothing_never(
    post: House, town: Town, publisher: Publisher
):
    """FP7: the frame is with the sockets, and the worker's reader of the bus dies and begins anew."""
    async with post.visit() as alice:
        await alice_reads(post, alice, *EVERYTHING)
        failpoints.ARMED.update(failpoints.parse(f"{failpoints.FP7_GATEWAY_SENT}=raise@1"))
        try:
            await publisher.publish_now(change_everything(town, 1))
            await eventually(lambda: failpoints.ARMED[failpoints.FP7_GATEWAY_SENT].passed == 1)
        finally:
            failpoints.ARMED.clear()
        await publisher.publish_now(change_everything(town, 2))
        await has_the_truth(alice, town)


async def test_what_was_said_while_the_bus_was_away_is_read_when_it_returns(town: Town, valkey: Valkey):
    async with open_house(quick(poll_s=1_000), valkey.url) as house, house.visit() as alice:
        await eventually(lambda: house.hub.bus_up)
        await alice_reads(house, alice, *EVERYTHING)
        valkey.kill()
        await eventually(lambda: not house.hub.bus_up)
        change_everything(town, 1)
        valkey.start()
        await has_the_truth(alice, town)


async def test_a_frozen_redis_is_noticed_and_bridged(
    post: House, town: Town, valkey: Valkey, publisher: Publisher
):
    async with post.visit() as alice:
        await alice_reads(post, alice, *EVERYTHING)
        valkey.freeze()
        began = time.monotonic()
        assert not await publisher.publish_now(change_everything(town, 1))
        assert not await publisher.publish_now(change_everything(town, 2)), "the breaker is open"
        assert time.monotonic() - began < 5, "far above the timeout, far below hanging"
        await has_the_truth(alice, town)
        assert not post.hub.bus_up
        valkey.thaw()
        await eventually(lambda: post.hub.bus_up)


async def test_after_a_loss_the_workers_look_even_when_nothing_follows(
    post: House, town: Town, valkey: Valkey, publisher: Publisher
):
    """The publisher could not reach Redis for a moment, the worker could: nobody polls."""
    async with post.visit() as alice:
        await alice_reads(post, alice, *EVERYTHING)
        lost = change_everything(town, 1)
        publisher.breaker.failed(time.monotonic())
        publisher._failed(ConnectionError("cut"), len(lost))
        await publisher._announce_loss()
        await has_the_truth(alice, town)
        assert post.hub.bus_up


async def test_a_lost_hint_is_found_by_the_sweep(town: Town, valkey: Valkey):
    async with open_house(quick(sweep_s=0.05), valkey.url) as house, house.visit() as alice:
        await alice_reads(house, alice, "purse:1")
        town.say("purse:1", {"n": 1})
        await alice.until(lambda: alice.position["purse:1"][1] == 1)
        assert alice.state["purse:1"] == dict(town.truth("purse:1").data)


async def test_a_flushed_redis_changes_nothing(post: House, town: Town, valkey: Valkey, publisher: Publisher):
    async with post.visit() as alice:
        await alice_reads(post, alice, *EVERYTHING)
        redis.Redis.from_url(valkey.url).flushall()
        await publisher.publish_now(change_everything(town, 1))
        await has_the_truth(alice, town)


async def test_what_is_not_ours_on_the_bus_is_counted_and_passed_over(
    post: House, town: Town, valkey: Valkey, publisher: Publisher
):
    stranger = redis.Redis.from_url(valkey.url)
    async with post.visit() as alice:
        await alice.subscribe("quote:gold")
        for noise in (b"", b"hello", b"\xff" * 50, b"\x92\xc3\x91\x01"):
            stranger.publish(BUS_CHANNEL, noise)
        await publisher.publish_now([Message.of("nokind:x", "e", 1, {}), town.say("quote:gold", {"n": 1})])
        await alice.until(lambda: alice.state["quote:gold"] == {"n": 1})
        assert post.hub._bus is not None
        assert post.hub._bus.bad_frames == 4
        assert post.hub.counters.messages_unknown == 1


async def test_a_server_without_redis_serves_from_the_owners(town: Town, tmp_path: Path):
    town.say("quote:gold", {"n": 1})
    async with open_house(POLLED, f"unix://{tmp_path}/nobody.sock") as house, house.visit() as alice:
        await alice_reads(house, alice, *EVERYTHING)
        assert alice.state["quote:gold"] == {"n": 1}
        change_everything(town, 2)
        await has_the_truth(alice, town)
        assert not house.hub.bus_up
    assert not house.hub.states, "without the bus, nothing is kept that nobody keeps true"


async def test_publishing_nothing_is_no_work(tmp_path: Path):
    publisher = Publisher(f"unix://{tmp_path}/nobody.sock")
    assert await publisher.publish_now([])
    assert publisher.publish_now_sync([])
    assert not publisher.publish_now_sync([Message.of("a:b", "e", 1, {})])
    assert publisher.dropped == 1
    await publisher.aclose()


def test_the_breaker_waits_longer_each_time_up_to_a_limit():
    breaker, now, waits = Breaker(), 100.0, []
    for _ in range(7):
        breaker.failed(now)
        waits.append(breaker.open_until - now)
        assert not breaker.allows(now)
        assert breaker.allows(breaker.open_until)
    assert waits == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    breaker.succeeded()
    assert breaker.allows(0.0)
    breaker.failed(now)
    assert breaker.open_until - now == 0.25
