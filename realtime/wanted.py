"""Which topics somebody reads: web workers say so in Redis, owners leave the others out.

Only topics of kinds that are `on_demand`. A worker says a topic when its first reader comes, and all of its
topics again every few seconds; what nobody says for a while has no readers. Offsets count messages that were
left out, too: a reader who came in between sees a gap, and asks for a snapshot.

Said in two ways: on a channel, for an owner who wants to hear it at once (`Readers`, the exchange); and in a
sorted set, for one who looks now and then (the feed): there only public topics, which many readers share.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable

import msgspec
import redis.asyncio
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from realtime.bus import BusReader
from realtime.publish import TIMEOUT_S
from simgame.kernel import clock

KEY = "simgame:wanted:1"  # sorted set: topic → wall seconds until which it counts as read
CHANNEL = "simgame:wanted:1:said"  # lists of topics, as they are said
SAID_S = 15.0
AGAIN_S = 5.0
TOGETHER_S = 0.01  # a page opens several topics at once: one message
UNHEARD_S = 15.0  # who begins to listen has heard every worker by then, also one that missed a turn

log = logging.getLogger(__name__)
encode_topics = msgspec.msgpack.Encoder().encode
decode_topics = msgspec.msgpack.Decoder(list[str]).decode


class Announcer:
    """For one web worker. `settle` from its event loop whenever a topic gains or loses its readers."""

    def __init__(self, redis_url: str):
        self.topics: dict[str, bool] = {}  # that are read here → is it in the sorted set, too?
        self._new: set[str] = set()
        self._news = asyncio.Event()
        self._redis = redis.asyncio.Redis.from_url(
            redis_url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=redis.asyncio.retry.Retry(NoBackoff(), 0),
        )

    def settle(self, topic: str, wanted: bool, *, listed: bool = True) -> None:
        """`listed`: in the sorted set, too."""
        if not wanted:
            self.topics.pop(topic, None)
        elif topic not in self.topics:
            self.topics[topic] = listed
            self._new.add(topic)
            self._news.set()

    async def run(self) -> None:
        """For ever, until cancelled. Redis away: owners cannot publish then anyway."""
        said_s = 0.0
        try:
            while True:
                await self._wait()
                everything = clock.monotonic_s() - said_s >= AGAIN_S
                new, self._new = self._new, set()  # more may come while these are said
                if await self._say(list(self.topics) if everything else [*new & self.topics.keys()]):
                    said_s = clock.monotonic_s() if everything else said_s
                else:
                    said_s = 0.0
        finally:
            await self._redis.aclose()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(AGAIN_S):
                await self._news.wait()
        except TimeoutError:
            return
        await asyncio.sleep(TOGETHER_S)
        self._news.clear()

    async def _say(self, topics: list[str]) -> bool:
        if not topics:
            return True
        now_s = clock.now_ns() / clock.NS_PER_S
        listed = dict.fromkeys([topic for topic in topics if self.topics[topic]], now_s + SAID_S)
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                if listed:
                    pipe.zadd(KEY, listed)
                    pipe.zremrangebyscore(KEY, 0, now_s)
                pipe.publish(CHANNEL, encode_topics(topics))
                await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            log.info("Who reads what cannot be said (%s).", error)
            return False
        return True


class Readers:
    """For one owner: which topics of its `kind` somebody reads. Used from one event loop.

    `on_new` is called with the topics that have their first reader. While nobody can be heard, and until
    every worker has had time to say what is read there, everything counts as read.
    """

    def __init__(self, redis_url: str, kind: str, on_new: Callable[[list[str]], None]):
        self._prefix, self._on_new = f"{kind}:", on_new
        self._until: dict[str, float] = {}  # topic → monotonic seconds until which it counts as read
        self._all_until = math.inf
        self._bus = BusReader(redis_url, CHANNEL, decode_topics, self._said, self._up, self._down)

    async def run(self) -> None:
        """For ever, until cancelled."""
        await self._bus.run()

    @property
    def known(self) -> bool:
        """Every worker had time to say what is read there."""
        return clock.monotonic_s() >= self._all_until

    def has(self, topic: str) -> bool:
        """Does somebody read it? Always, of another kind."""
        now = clock.monotonic_s()
        read = now < self._all_until or self._until.get(topic, 0.0) > now
        return read or not topic.startswith(self._prefix)

    def _said(self, topics: list[str]) -> None:
        now = clock.monotonic_s()
        mine = [topic for topic in topics if topic.startswith(self._prefix)]
        new = [topic for topic in mine if not self.has(topic)]
        self._until = {topic: until for topic, until in self._until.items() if until > now}
        self._until |= dict.fromkeys(mine, now + SAID_S)
        if new:
            self._on_new(new)

    def _up(self) -> None:
        self._all_until = clock.monotonic_s() + UNHEARD_S

    def _down(self) -> None:
        self._all_until = math.inf
