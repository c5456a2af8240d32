"""Which topics somebody reads: web workers say so in Redis, owners leave the others out.

Only topics of kinds that are `on_demand`. A worker says a topic when its first reader comes, and all of its
topics again every few seconds; what nobody says for a while has no readers. Offsets count messages that were
left out, too: a reader who came in between sees a gap, and asks for a snapshot.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

import redis.asyncio
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from realtime.publish import TIMEOUT_S
from simgame.kernel import clock

KEY = "simgame:wanted:1"  # sorted set: topic → wall seconds until which it counts as read
SAID_S = 15.0
AGAIN_S = 5.0
TOGETHER_S = 0.01  # a page opens several topics at once: one message

log = logging.getLogger(__name__)


class Announcer:
    """For one web worker. `settle` from its event loop whenever a topic gains or loses its readers."""

    def __init__(self, redis_url: str):
        self.topics: set[str] = set()
        self._new: set[str] = set()
        self._news = asyncio.Event()
        self._redis = redis.asyncio.Redis.from_url(
            redis_url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=redis.asyncio.retry.Retry(NoBackoff(), 0),
        )

    def settle(self, topic: str, wanted: bool) -> None:
        if not wanted:
            self.topics.discard(topic)
        elif topic not in self.topics:
            self.topics.add(topic)
            self._new.add(topic)
            self._news.set()

    async def run(self) -> None:
        """For ever, until cancelled. Redis away: owners cannot publish then anyway."""
        said_s = 0.0
        try:
            while True:
                await self._wait()
                everything = clock.monotonic_s() - said_s >= AGAIN_S
                if await self._say(self.topics if everything else self._new & self.topics):
                    said_s = clock.monotonic_s() if everything else said_s
                else:
                    said_s = 0.0
                self._new.clear()
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

    async def _say(self, topics: Iterable[str]) -> bool:
        now_s = clock.now_ns() / clock.NS_PER_S
        if not (scores := dict.fromkeys(topics, now_s + SAID_S)):
            return True
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.zadd(KEY, scores)
                pipe.zremrangebyscore(KEY, 0, now_s)
                await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            log.info("Who reads what cannot be said (%s).", error)
            return False
        return True
