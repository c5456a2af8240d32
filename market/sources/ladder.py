"""One side of a book as a venue tells it level by level: cheap to change, cheap to show. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from market.ticks import DEPTH_LEVELS_MAX, Level


class Ladder:
    """Keys are prices with the sign that puts the best one first."""

    __slots__ = ("_best", "_keys", "_levels", "_sign")

    def __init__(self, levels: Iterable[Level] = (), *, bids: bool) -> None:
        self._sign = -1 if bids else 1
        self._levels = {price * self._sign: (price, size) for price, size in levels if size}
        self._keys = sorted(self._levels)
        self._best: tuple[Level, ...] | None = None  # as told last; None: made anew when asked for

    def put(self, price: int, size: int) -> bool:
        """The whole size at a price, 0 for none. True when the change is among the levels that show."""
        key, keys = price * self._sign, self._keys
        if key in self._levels:
            place = bisect_left(keys, key)
            if size:
                self._levels[key] = (price, size)
            else:
                del keys[place], self._levels[key]
        elif size:
            place = bisect_left(keys, key)
            keys.insert(place, key)
            self._levels[key] = (price, size)
        else:
            return False
        if place >= DEPTH_LEVELS_MAX:
            return False
        self._best = None
        return True

    def best(self) -> tuple[Level, ...]:
        """The levels that show, best first."""
        if self._best is None:
            self._best = tuple(map(self._levels.__getitem__, self._keys[:DEPTH_LEVELS_MAX]))
        return self._best
