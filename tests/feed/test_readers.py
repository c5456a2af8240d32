"""What nobody reads is not sent: web workers say which trades and bars somebody looks at."""

from __future__ import annotations

import asyncio

import pytest
import redis.asyncio
from django.conf import settings

from realtime import wanted
from realtime.publish import BUS_CHANNEL, decode_frame
from realtime.wanted import Announcer
from simgame.kernel import tasks
from tests.feed.conftest import until

pytestmark = pytest.mark.django_db(transaction=True)


async def heard(bus: redis.asyncio.client.PubSub, kinds: set[str], count: int) -> list:
    """The next messages of these kinds."""
    found: list = []
    async with asyncio.timeout(30):
        while len(found) < count:
            frame = await bus.get_message(ignore_subscribe_messages=True, timeout=1)
            if frame is not None:
                messages = decode_frame(frame["data"]).messages
                found += [one for one in messages if one.topic.partition(":")[0] in kinds]
    return found


async def test_trades_and_bars_go_to_their_readers_only(runner, seeded, monkeypatch):
    monkeypatch.setattr(wanted, "UNHEARD_S", 0.0)
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
    await client.delete(wanted.KEY)
    announcer = Announcer(settings.REDIS_URL)
    saying = asyncio.create_task(announcer.run())
    try:
        async with runner.running(seeded) as feed, client.pubsub() as bus:
            await until(lambda: feed.publisher.unread, "something that nobody reads")
            await bus.subscribe(BUS_CHANNEL)
            symbol = next(iter(feed.state.trades))
            topic = f"bars:seeded:{symbol}:1m"
            assert await heard(bus, {"quote", "board"}, 1)  # these come in any case
            announcer.settle(topic, True)
            first, second = await heard(bus, {"trades", "bars"}, 2)
            assert {first.topic, second.topic} == {topic}
            assert second.offset >= first.offset + 1
            assert first.offset > 1  # what was left out counts: a reader who came in between sees a gap
            announcer.settle(topic, False)
            assert not announcer.topics
            assert await client.zscore(wanted.KEY, topic)  # until nobody has said it for a while
    finally:
        await tasks.end([saying])
        await client.aclose()


async def test_who_reads_is_not_asked_of_a_redis_that_was_emptied(runner, seeded, monkeypatch):
    """Alice has followed a symbol for long; its next trade may be the last for hours, and shows no gap."""
    monkeypatch.setattr(wanted, "UNHEARD_S", 0.0)
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
    try:
        async with runner.running(seeded) as feed, client.pubsub() as bus:
            await until(lambda: feed.publisher.unread, "something that nobody reads")
            monkeypatch.setattr(wanted, "UNHEARD_S", 60.0)
            await bus.subscribe(BUS_CHANNEL)
            await client.flushall()
            await until(lambda: feed.publisher.sends_everything, "a feed that knows that it does not know")
            left_out = feed.publisher.unread
            told = await heard(bus, {"trades", "bars"}, 20)
            assert len({one.topic for one in told}) > 1
            assert feed.publisher.unread == left_out
    finally:
        await client.aclose()
