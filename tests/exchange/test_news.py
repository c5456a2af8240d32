"""Private streams that nobody reads are not sent, and the first reader misses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec
import pytest
import redis
from django.conf import settings

from realtime import wanted
from realtime.publish import BUS_CHANNEL, Message, decode_frame
from realtime.wanted import Announcer
from simgame.kernel import tasks
from tests.exchange import street
from trading import queries
from trading.engine.commands import Halt
from trading.exchange.client import ask_sync


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> street.InThread:
    """An exchange that has heard everybody."""
    monkeypatch.setattr(wanted, "UNHEARD_S", 0.0)
    running: street.InThread = request.getfixturevalue("exchange")
    readers = running.exchange.news.readers
    street.wait_for(lambda: not readers.has("portfolio:1"), "an exchange that knows who reads")
    return running


class Bus:
    """Everything that is said on it."""

    def __init__(self) -> None:
        self._redis = redis.Redis.from_url(settings.REDIS_URL)
        self._heard = self._redis.pubsub(ignore_subscribe_messages=True)
        self._heard.subscribe(BUS_CHANNEL)
        street.wait_for(lambda: self._redis.pubsub_numsub(BUS_CHANNEL)[0][1], "our own ear")
        self.messages: list[Message] = []

    def until(self, topic: str, offset: int) -> Message:
        """The first message of a topic that is as new as that."""
        return street.wait_for(lambda: self._listen(topic, offset), f"{topic} at {offset}")

    def offsets(self, topic: str) -> list[int]:
        return [each.offset for each in self.messages if each.topic == topic]

    def close(self) -> None:
        self._heard.close()
        self._redis.close()

    def _listen(self, topic: str, offset: int) -> Message | None:
        if (said := self._heard.get_message(timeout=0.05)) is not None:
            self.messages += decode_frame(said["data"]).messages
        found = [each for each in self.messages if each.topic == topic and each.offset >= offset]
        return found[0] if found else None


@pytest.fixture
def bus() -> Iterator[Bus]:
    bus = Bus()
    yield bus
    bus.close()


def reads(topic: str, running: street.InThread) -> None:
    """A web worker says that somebody came, and is heard."""

    async def say() -> None:
        worker = Announcer(settings.REDIS_URL)
        saying = asyncio.create_task(worker.run())
        worker.settle(topic, True, listed=False)
        async with asyncio.timeout(street.PATIENCE_S):
            while not running.exchange.news.readers.has(topic):
                await asyncio.sleep(0.005)
        await tasks.end([saying])

    asyncio.run(say())


def test_alices_orders_are_told_to_her_and_bobs_to_nobody(world, quiet, bus):
    alice, bob = street.open_portfolio(world, "alice"), street.open_portfolio(world, "bob")
    hers, his = f"portfolio:{alice.id}", f"portfolio:{bob.id}"
    for portfolio in (alice, bob):
        assert ask_sync(world.number, street.new_order(portfolio.id)).outcome == "executed"
    street.wait_for(lambda: quiet.exchange.news.left_out >= 4, "news that nobody reads")
    assert street.status(world)["streams"] == {"known": True, "left_out": quiet.exchange.news.left_out}
    reads(hers, quiet)
    assert ask_sync(world.number, street.new_order(bob.id)).outcome == "executed"
    assert ask_sync(world.number, street.new_order(alice.id)).outcome == "executed"
    told = bus.until(hers, queries.desk_version(alice.id))
    ((seq, body),) = queries.events_after(alice.id, told.offset - 1, 1)
    assert (told.offset, msgspec.json.decode(told.data)) == (seq, body)
    assert not bus.offsets(his)


def test_what_was_left_out_while_she_came_is_sent_after_her(world, quiet, bus, monkeypatch):
    """Her snapshot was made before an order that her worker's word overtook."""
    monkeypatch.setattr("trading.exchange.news.KEPT_S", street.PATIENCE_S)
    alice = street.open_portfolio(world, "alice")
    snapshot = queries.desk_version(alice.id)
    for _ in range(3):
        assert ask_sync(world.number, street.new_order(alice.id)).outcome == "executed"
    hers = f"portfolio:{alice.id}"
    reads(hers, quiet)
    bus.until(hers, queries.desk_version(alice.id))
    later = [offset for offset in bus.offsets(hers) if offset > snapshot]
    assert later == list(range(snapshot + 1, snapshot + 4))


def test_what_is_said_to_everybody_is_sent_whoever_reads(world, quiet, bus):
    assert ask_sync(world.number, Halt(street.PENNY, True, "news", "h1")).outcome == "executed"
    told = bus.until(f"halts:{world.slug}", 1)
    assert msgspec.json.decode(told.data) == {"halts": {street.PENNY: "news"}}
