"""The bounded queue between sources and the pipeline. Full? The policy decides, a counter tells."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from enum import StrEnum

from market.sources.items import Item

CAPACITY = 50_000  # one burst of a second at ten times the sustained rate we aim at


class Policy(StrEnum):
    DROP_NEWEST = "drop_newest"
    DROP_OLDEST = "drop_oldest"
    BLOCK = "block"  # the source waits: nothing is lost, the venue's socket fills up


class Ingress:
    """One consumer, any number of producers, one event loop.

    accepted, dropped_newest, dropped_oldest, blocked   items so far (blocked: puts that had to wait)
    """

    def __init__(self, policy: Policy = Policy.BLOCK, capacity: int = CAPACITY):
        self.policy = policy
        self.capacity = capacity
        self.accepted = self.dropped_newest = self.dropped_oldest = self.blocked = 0
        self.longest = 0
        self.holding = 0  # producers that wait for room just now
        self._items: deque[Item] = deque()
        self._filled = asyncio.Event()
        self._room = asyncio.Event()

    def __len__(self) -> int:
        return len(self._items)

    async def put_all(self, items: Sequence[Item]) -> None:
        """As `put` one after another; at a stroke when there is room for all."""
        if len(self._items) + len(items) > self.capacity:
            for item in items:
                await self.put(item)
            return
        self._items.extend(items)
        self.accepted += len(items)
        self.longest = max(self.longest, len(self._items))
        self._filled.set()

    async def put(self, item: Item) -> None:
        if len(self._items) >= self.capacity:
            if self.policy is Policy.DROP_NEWEST:
                self.dropped_newest += 1
                return
            if self.policy is Policy.DROP_OLDEST:
                self._items.popleft()
                self.dropped_oldest += 1
            else:
                await self._wait_for_room()
        self._items.append(item)
        self.accepted += 1
        self.longest = max(self.longest, len(self._items))
        self._filled.set()

    async def _wait_for_room(self) -> None:
        self.blocked += 1
        self.holding += 1
        try:
            while len(self._items) >= self.capacity:
                self._room.clear()
                await self._room.wait()
        finally:
            self.holding -= 1

    async def take(self, most: int) -> list[Item]:
        """Between 1 and `most` items, oldest first; waits for the first."""
        await self.filled()
        return self.take_now(most)

    async def filled(self) -> None:
        """Waits until there is an item."""
        while not self._items:
            self._filled.clear()
            await self._filled.wait()

    def take_now(self, most: int) -> list[Item]:
        """At most `most` items, oldest first; [] when there are none."""
        items = self._items
        if len(items) <= most:
            taken = list(items)
            items.clear()
        else:
            taken = [items.popleft() for _ in range(most)]
        self._room.set()
        return taken
