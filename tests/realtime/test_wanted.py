"""What somebody reads is sent, and while nobody can say what is read, everything; who comes back reads on."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from realtime import topics, wanted
from realtime.publish import Publisher
from realtime.wanted import Announcer, Readers
from simgame.kernel import tasks
from tests.realtime.conftest import Town, eventually, open_house, quick
from tests.realtime.valkey import Valkey

HERS, HIS = "purse:1", "purse:2"


@pytest.fixture
def on_demand(town: Town) -> Town:
    """A town that sends purses to their readers only."""
    purse = topics.kind_of(HERS)
    assert purse is not None
    topics.unregister(purse.name)
    topics.register(dataclasses.replace(purse, on_demand=True))
    return town


@asynccontextmanager
async def running(*ones: Announcer | Readers) -> AsyncIterator[None]:
    under_way = [asyncio.create_task(one.run()) for one in ones]
    try:
        yield
    finally:
        await tasks.end(under_way)


async def test_an_owner_hears_of_a_first_reader(valkey: Valkey, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wanted, "UNHEARD_S", 0.0)
    heard: list[str] = []
    worker, readers = Announcer(valkey.url), Readers(valkey.url, "purse", heard.extend)
    async with running(worker, readers):
        assert readers.has(HERS), "nobody could say yet"
        await eventually(lambda: not readers.has(HERS))
        assert readers.has("tape:gold"), "others are sent in any case"
        worker.settle(HERS, True)
        worker.settle("tape:gold", True)
        await eventually(lambda: heard == [HERS])
        assert readers.has(HERS)
        assert not readers.has(HIS)


async def test_a_reader_who_was_there_before_the_owner_is_heard_too(valkey: Valkey, monkeypatch):
    """Each worker says all of its topics again and again: an owner that begins waits for that."""
    monkeypatch.setattr(wanted, "AGAIN_S", 0.05)
    worker, readers = Announcer(valkey.url), Readers(valkey.url, "purse", lambda _: None)
    async with running(worker):
        worker.settle(HERS, True)
        async with running(readers):
            await eventually(lambda: HERS in readers._until)
            assert readers.has(HIS), "another worker may not have spoken yet"


async def test_who_comes_while_others_are_said_is_said_next(valkey: Valkey, monkeypatch: pytest.MonkeyPatch):
    """Not with the next round of everything: until then news would be left out."""
    monkeypatch.setattr(wanted, "UNHEARD_S", 0.0)
    monkeypatch.setattr(wanted, "AGAIN_S", 1_000.0)
    heard: list[str] = []
    worker, readers = Announcer(valkey.url), Readers(valkey.url, "purse", heard.extend)
    say = worker._say

    async def while_he_comes(asked: list[str]) -> bool:
        worker.settle(HIS, True)
        return await say(asked)

    monkeypatch.setattr(worker, "_say", while_he_comes)
    async with running(worker, readers):
        await eventually(lambda: not readers.has(HERS))
        worker.settle(HERS, True)
        await eventually(lambda: len(heard) > 1)
        assert heard == [HERS, HIS]


async def test_without_redis_everything_counts_as_read(valkey: Valkey, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wanted, "UNHEARD_S", 0.0)
    readers = Readers(valkey.url, "purse", lambda _: None)
    async with running(readers):
        await eventually(lambda: not readers.has(HERS))
        valkey.kill()
        await eventually(lambda: readers.has(HERS))
        assert readers.has(HIS), "all of them, not who was said last"
        valkey.start()
        await eventually(lambda: not readers.has(HERS))
        assert not readers.has(HIS)


async def test_what_is_no_list_of_topics_is_left_alone(valkey: Valkey, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wanted, "UNHEARD_S", 0.0)
    worker, readers = Announcer(valkey.url), Readers(valkey.url, "purse", lambda _: None)
    stranger = Publisher(valkey.url, channel=wanted.CHANNEL)
    async with running(worker, readers):
        await eventually(lambda: not readers.has(HERS))
        await stranger.publish_now([Town().say(HERS, {"n": 1})])
        worker.settle(HERS, True)
        await eventually(lambda: readers.has(HERS))
        assert readers._bus.bad_frames == 1
        assert not readers.has(HIS), "it went on with what it knew"
    await stranger.aclose()


async def test_who_comes_back_after_news_that_nobody_was_sent_reads_on(on_demand: Town, valkey: Valkey):
    """A worker keeps nothing of a stream that nobody reads there: what it kept would not be true."""
    publisher = Publisher(valkey.url)
    async with open_house(quick(), valkey.url) as house, house.visit() as alice:
        await eventually(lambda: house.hub.bus_up)
        await alice.ask(op="auth", token="alice-token")
        await alice.subscribe(HERS)
        assert house.hub._announcer is not None
        assert house.hub._announcer.topics == {HERS: False}, "said, and not in the list that the feed reads"
        await publisher.publish_now([on_demand.say(HERS, {"n": 1})])
        await alice.until(lambda: alice.position[HERS][1] == 1)
        await alice.ask(op="unsubscribe", topics=[HERS])
        for n in range(2, 1_000):
            on_demand.say(HERS, {"n": n})  # more than a worker would fetch for her
        await alice.subscribe(HERS)
        asked = house.hub.counters.refreshes
        await publisher.publish_now([on_demand.say(HERS, {"n": 1_000})])
        await alice.until(lambda: alice.position[HERS][1] == 1_000)
        assert alice.state[HERS] == dict(on_demand.truth(HERS).data)
        assert house.hub.counters.refreshes == asked, "nothing was missing"
        assert not house.hub.counters.gaps
    await publisher.aclose()


async def test_a_worker_without_readers_keeps_nothing_of_what_others_read(on_demand: Town, valkey: Valkey):
    publisher = Publisher(valkey.url)
    async with open_house(quick(), valkey.url) as house, house.visit() as guest:
        await eventually(lambda: house.hub.bus_up)
        await guest.subscribe("quote:gold")
        await publisher.publish_now([on_demand.say(HERS, {"n": 1}), on_demand.say("quote:gold", {"n": 1})])
        await guest.until(lambda: guest.state["quote:gold"] == {"n": 1})
        assert HERS not in house.hub.states
    await publisher.aclose()
