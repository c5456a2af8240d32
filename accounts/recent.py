"""What was found out a moment ago, kept for seconds: the in-process cache of identities."""

from __future__ import annotations

import random
import threading
from collections.abc import Hashable
from typing import Generic, TypeVar

from simgame.kernel import clock

T = TypeVar("T")


class Recent(Generic[T]):
    """At most `size_max` values, each for at most `ttl_s`. When full, the oldest leave first.

    `spread_s`: each is kept for up to so much less, by chance, so that what was found out at one moment (all
    the desks of a morning) is not asked again at one moment.
    """

    def __init__(self, ttl_s: float, size_max: int, spread_s: float = 0.0):
        self.ttl_s = ttl_s
        self.size_max = size_max
        self.spread_s = spread_s
        self._kept: dict[Hashable, tuple[float, T]] = {}
        self._lock = threading.Lock()  # Django's views run in threads

    def get(self, key: Hashable) -> T | None:
        found = self._kept.get(key)
        return found[1] if found and found[0] > clock.monotonic_s() else None

    def look(self, key: Hashable) -> tuple[T | None, float]:
        """The value, and for how many seconds more it is kept."""
        found = self._kept.get(key)
        left_s = found[0] - clock.monotonic_s() if found else 0.0
        return (found[1], left_s) if found and left_s > 0 else (None, 0.0)

    def put(self, key: Hashable, value: T) -> None:
        with self._lock:
            self._kept.pop(key, None)  # a fresh value goes to the end of the queue
            while len(self._kept) >= self.size_max:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = (clock.monotonic_s() + self.ttl_s - self.spread_s * random.random(), value)

    def forget(self) -> None:
        with self._lock:
            self._kept.clear()
