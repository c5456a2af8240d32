"""What of the exchange's news goes over the bus: private streams that somebody reads, and all that is public.

A stream that nobody reads is counted and stored like any other; its messages are not made, and not sent.
Between the snapshot of its first reader and the moment when we hear of him, messages may have been left out:
so the last second's are kept, and sent to whoever comes.
Why: docs/decisions/0069-private-streams-that-nobody-reads.md
"""

from __future__ import annotations

import asyncio
from collections import deque

from realtime.publish import Message, Publisher
from realtime.wanted import Readers
from simgame.kernel import clock
from trading.exchange.streams import Dispatch

KIND = "portfolio"  # the private streams; trading.topics registers it
KEPT_S = 1.0  # a worker says a first reader within 10 ms, and we hear it as soon as the loop is free


class News:
    def __init__(self, redis_url: str):
        self.publisher = Publisher(redis_url)
        self.readers = Readers(redis_url, KIND, self._newly_read)
        self.left_out = 0  # messages so far
        self._kept: deque[tuple[float, list[Dispatch]]] = deque()  # left out at …, a batch at a time
        self._sending: set[asyncio.Task[bool]] = set()

    async def publish(self, told: list[Dispatch]) -> bool:
        """After commit, one batch after another. True when Redis took what there was to send."""
        read: list[Message] = []
        unread: list[Dispatch] = []
        for each in told:
            if self.readers.has(each.topic):
                read.append(each.message())
            else:
                unread.append(each)
        if unread:
            self._keep(unread)
        return await self.publisher.publish_now(read)

    async def aclose(self) -> None:
        await self.publisher.aclose()

    def _keep(self, unread: list[Dispatch]) -> None:
        now = clock.monotonic_s()
        self.left_out += len(unread)
        self._kept.append((now, unread))
        while self._kept[0][0] < now - KEPT_S:
            self._kept.popleft()

    def _newly_read(self, topics: list[str]) -> None:
        """What they have is never newer than this; what is not newer than what they have, they drop."""
        theirs = frozenset(topics)
        kept = [each.message() for _, unread in self._kept for each in unread if each.topic in theirs]
        if kept:
            sending = asyncio.ensure_future(self.publisher.publish_now(kept))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)
