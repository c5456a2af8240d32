"""Reading the bus: a task that keeps one Redis subscription alive and says when it is not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec
import redis.asyncio
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

log = logging.getLogger(__name__)
F = TypeVar("F")

BEAT_S = 1.0  # we ping this often …
SILENT_S = 2.5  # … and a Redis that says nothing for this long counts as down
CONNECT_S = 1.0
BACKOFF_FIRST_S = 0.1
BACKOFF_MOST_S = 2.0


class BusReader(Generic[F]):
    """Calls `on_frame` for each frame, `on_up` once subscribed, `on_down` when that has ended.

    `decode` makes a frame of what stands on the channel, and raises msgspec.DecodeError for what is none.
    """

    def __init__(
        self,
        redis_url: str,
        channel: str,
        decode: Callable[[bytes], F],
        on_frame: Callable[[F], None],
        on_up: Callable[[], None],
        on_down: Callable[[], None],
    ):
        self.redis_url = redis_url
        self.channel, self.decode = channel, decode
        self.on_frame, self.on_up, self.on_down = on_frame, on_up, on_down
        self.bad_frames = 0
        self._up = False

    async def run(self) -> None:
        """For ever, until cancelled."""
        backoff = BACKOFF_FIRST_S
        while True:
            try:
                await self._read()
            except (RedisError, OSError, TimeoutError) as error:
                if self._up:
                    log.warning("Lost the channel %s (%s): going on without it.", self.channel, error)
                    backoff = BACKOFF_FIRST_S
            except Exception:  # a fault of ours must not end the news for good
                log.exception("The reader of the bus failed and starts again.")
            finally:
                self._set_down()
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, BACKOFF_MOST_S)

    async def _read(self) -> None:
        client = redis.asyncio.Redis.from_url(
            self.redis_url,
            protocol=2,  # of 3, redis-py writes each message out in full for a log that nobody reads
            socket_connect_timeout=CONNECT_S,
            socket_timeout=SILENT_S,
            retry=redis.asyncio.retry.Retry(NoBackoff(), 0),
        )
        try:
            async with client.pubsub() as subscription:
                await subscription.subscribe(self.channel)
                await self._follow(subscription)
        finally:
            await client.aclose()

    async def _follow(self, subscription: redis.asyncio.client.PubSub) -> None:
        loop = asyncio.get_running_loop()
        heard = pinged = loop.time()
        while True:
            message = await subscription.get_message(timeout=BEAT_S)
            now = loop.time()
            if message is not None:
                heard = now
                self._take(message)
                await asyncio.sleep(0)  # a full read buffer must not keep the loop for itself
            if now - heard > SILENT_S:
                raise TimeoutError(f"silent for {SILENT_S} s")
            if now - pinged >= BEAT_S:
                pinged = now
                async with asyncio.timeout(CONNECT_S):
                    await subscription.ping()

    def _take(self, message: dict[str, object]) -> None:
        if message["type"] == "subscribe":
            self._up = True
            log.info("Reading the channel %s.", self.channel)
            self.on_up()
        elif message["type"] == "message":
            try:
                frame = self.decode(message["data"])  # type: ignore[arg-type]
            except msgspec.DecodeError as error:
                self.bad_frames += 1
                log.warning("A frame on the bus is not ours: %s", error)
                return
            self.on_frame(frame)

    def _set_down(self) -> None:
        if self._up:
            self._up = False
            self.on_down()
