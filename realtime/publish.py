"""Sending news: one Redis pub/sub frame per batch, on one channel that every web worker reads.

Redis is a hint, never the truth: publishing does not raise, does not block longer than its
timeout, and counts what it had to drop. After a loss the next frame that gets through says so, and
the workers read what they missed from the owners of the topics.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from simgame.kernel import clock

log = logging.getLogger(__name__)

BUS_CHANNEL = "simgame:bus:1"
TIMEOUT_S = 0.25  # a Redis that hangs is worse than a dead one
BACKOFF_FIRST_S = 0.25
BACKOFF_MOST_S = 5.0


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One piece of news. `offset` counts up within `epoch`: by exactly one for MERGE and EVERY
    topics, by at least one for LATEST. `data` is a JSON object, encoded once, here and now."""

    topic: str
    epoch: str
    offset: int
    data: bytes

    @classmethod
    def of(cls, topic: str, epoch: str, offset: int, data: Mapping[str, Any]) -> Message:
        return cls(topic, epoch, offset, msgspec.json.encode(data))


class Frame(msgspec.Struct, array_like=True, gc=False):
    """What goes over the bus. `lost`: messages of this publisher were dropped before this frame."""

    lost: bool
    messages: list[Message]


encode_frame = msgspec.msgpack.Encoder().encode
decode_frame = msgspec.msgpack.Decoder(Frame).decode


class Breaker:
    """Opens after a failure for a back-off that doubles. Pure: time comes in."""

    def __init__(self) -> None:
        self.open_until = 0.0
        self._backoff = BACKOFF_FIRST_S

    def allows(self, now: float) -> bool:
        return now >= self.open_until

    def failed(self, now: float) -> None:
        self.open_until = now + self._backoff
        self._backoff = min(self._backoff * 2, BACKOFF_MOST_S)

    def succeeded(self) -> None:
        self.open_until, self._backoff = 0.0, BACKOFF_FIRST_S


class Publisher:
    """Publishes for one process. Use the async half from one event loop only, the sync half from
    Celery tasks and commands (any thread).

    published, dropped   messages so far
    """

    def __init__(self, redis_url: str, *, channel: str = BUS_CHANNEL, timeout_s: float = TIMEOUT_S):
        self.channel = channel
        self.timeout_s = timeout_s
        self.published = 0
        self.dropped = 0
        self.breaker = Breaker()
        self._lost = False
        options: dict[str, Any] = {
            "socket_timeout": timeout_s,
            "socket_connect_timeout": timeout_s,
        }
        self._sync = redis.Redis.from_url(redis_url, retry=Retry(NoBackoff(), 0), **options)
        self._async = redis.asyncio.Redis.from_url(
            redis_url, retry=redis.asyncio.retry.Retry(NoBackoff(), 0), **options
        )
        self._order = asyncio.Lock()  # frames leave in the order of the calls
        self._announcing: asyncio.Task[None] | None = None

    async def publish_now(self, messages: Sequence[Message]) -> bool:
        """True when Redis took the batch. Call after commit; false is no reason to fail anything."""
        if not messages:
            return True
        if not self.breaker.allows(clock.monotonic_s()):
            return self._drop(len(messages))
        if await self._send(messages):
            return True
        if self._announcing is None or self._announcing.done():
            self._announcing = asyncio.create_task(self._announce_loss())
        return False

    def publish_now_sync(self, messages: Sequence[Message]) -> bool:
        """As `publish_now`, for code without an event loop."""
        if not messages:
            return True
        if not self.breaker.allows(clock.monotonic_s()):
            return self._drop(len(messages))
        try:
            self._sync.publish(self.channel, encode_frame(Frame(self._lost, list(messages))))
        except (RedisError, OSError) as error:
            return self._failed(error, len(messages))
        return self._succeeded(len(messages))

    async def aclose(self) -> None:
        if self._announcing is not None:
            self._announcing.cancel()
        await self._async.aclose()
        self._sync.close()

    def close(self) -> None:
        self._sync.close()

    async def _send(self, messages: Sequence[Message]) -> bool:
        try:
            async with asyncio.timeout(self.timeout_s), self._order:
                await self._async.publish(self.channel, encode_frame(Frame(self._lost, list(messages))))
        except (RedisError, OSError, TimeoutError) as error:
            return self._failed(error, len(messages))
        return self._succeeded(len(messages))

    async def _announce_loss(self) -> None:
        """The last message before a silence may be among the dropped: tell the workers to look."""
        while self._lost:
            await asyncio.sleep(max(0.0, self.breaker.open_until - clock.monotonic_s()))
            if self._lost:
                await self._send([])

    def _drop(self, count: int) -> bool:
        self.dropped += count
        self._lost = True
        return False

    def _failed(self, error: Exception, count: int) -> bool:
        if not self._lost:
            log.warning("The bus does not answer (%s): news travels by polling until it does.", error)
        self.breaker.failed(clock.monotonic_s())
        return self._drop(count)

    def _succeeded(self, count: int) -> bool:
        if self._lost:
            log.info("The bus answers again.")
        self.breaker.succeeded()
        self._lost = False
        self.published += count
        return True
