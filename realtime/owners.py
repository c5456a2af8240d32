"""Asking the owners of topics: a few at a time, with a timeout, and one question for a crowd."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from realtime.counters import Counters
from realtime.errors import TopicUnavailable
from realtime.identity import Who
from realtime.limits import Limits
from realtime.publish import Message
from realtime.topics import Snapshot, TopicKind
from simgame.kernel import clock

log = logging.getLogger(__name__)

T = TypeVar("T")


class Owners:
    """Every method raises TopicUnavailable when the owner raises or does not answer in time."""

    def __init__(self, limits: Limits, counters: Counters):
        self.limits = limits
        self.counters = counters
        self._turns = asyncio.Semaphore(limits.owner_calls)
        self._snapshots: dict[str, tuple[float, asyncio.Task[Snapshot | None]]] = {}

    async def authorize(self, kind: TopicKind, topic: str, who: Who | None) -> bool:
        return await self._ask(topic, kind.authorize(topic, who))

    async def snapshot(self, kind: TopicKind, topic: str, *, fresh: bool = False) -> Snapshot | None:
        """None: no such topic. Not `fresh`: may be `snapshot_reuse_s` old."""
        now = clock.monotonic_s()
        asked_at, task = self._snapshots.get(topic, (0.0, None))
        failed = task is not None and task.done() and (task.exception() is not None or task.result() is None)
        if task is None or fresh or failed or now - asked_at > self.limits.snapshot_reuse_s:
            self._forget_old(now)
            self.counters.snapshots_asked += 1
            task = asyncio.create_task(self._ask(topic, kind.snapshot(topic)))
            self._snapshots[topic] = (now, task)
        return await asyncio.shield(task)

    def forget(self, topic: str) -> None:
        """What came after its snapshot is not kept any more: the next reader needs a newer one."""
        self._snapshots.pop(topic, None)

    async def since(self, kind: TopicKind, topic: str, epoch: str, offset: int) -> Sequence[Message] | None:
        """The messages after a position; None when they are gone, or too many to be worth it."""
        if kind.since is None or offset < 0:
            return None
        limit = self.limits.recover_messages
        messages = await self._ask(topic, kind.since(topic, epoch, offset, limit))
        return messages if messages is not None and len(messages) < limit else None

    async def poll(self, kind: TopicKind, topic: str) -> Snapshot | Sequence[Message] | None:
        return await self._ask(topic, kind.poll(topic)) if kind.poll is not None else None

    async def _ask(self, topic: str, question: Awaitable[T]) -> T:
        try:
            async with self._turns, asyncio.timeout(self.limits.owner_timeout_s):
                return await question
        except TimeoutError as error:
            log.warning("The owner of %s did not answer within %s s.", topic, self.limits.owner_timeout_s)
            raise TopicUnavailable from error
        except Exception as error:  # whatever it is, the socket must hear of it, and live
            log.exception("The owner of %s failed.", topic)
            raise TopicUnavailable from error

    def _forget_old(self, now: float) -> None:
        old = [
            topic
            for topic, (asked_at, task) in self._snapshots.items()
            if task.done() and now - asked_at > self.limits.snapshot_reuse_s
        ]
        for topic in old:
            del self._snapshots[topic]
