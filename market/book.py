"""A price-time book: best price first, and first come first served within a price. Pure.

An entry is anything with `id` and `price`; the book never reads or changes anything else, so the
caller may change sizes freely. A price must not change while its entry is in the book.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, ValuesView
from typing import Generic, Protocol, TypeVar


class Entry(Protocol):
    id: str
    price: int


E = TypeVar("E", bound=Entry)


class BookSide(Generic[E]):
    """One side. Keys are prices with the sign that makes the best one the largest, and so the last."""

    __slots__ = ("_keys", "_levels", "_sign", "best")

    def __init__(self, *, buys: bool) -> None:
        self.best: int | None = None  # the best price; None while there is no entry
        self._sign = 1 if buys else -1
        self._keys: list[int] = []
        self._levels: dict[int, dict[str, E]] = {}

    def __bool__(self) -> bool:
        return bool(self._keys)

    def __iter__(self) -> Iterator[E]:
        """Every entry in order of priority. The side must not change meanwhile."""
        for key in reversed(self._keys):
            yield from self._levels[key].values()

    def add(self, entry: E) -> None:
        """Behind everything that waits at its price already."""
        key = entry.price * self._sign
        level = self._levels.get(key)
        if level is None:
            level = self._levels[key] = {}
            insort(self._keys, key)
            self.best = self._keys[-1] * self._sign
        level[entry.id] = entry

    def remove(self, entry: E) -> None:
        """Raises KeyError when the entry is not in the book at its price."""
        key = entry.price * self._sign
        level = self._levels[key]
        del level[entry.id]
        if not level:
            del self._levels[key]
            del self._keys[bisect_left(self._keys, key)]
            self.best = self._keys[-1] * self._sign if self._keys else None

    def first(self) -> E | None:
        return next(iter(self._levels[self._keys[-1]].values())) if self._keys else None

    def price(self, rank: int = 0) -> int | None:
        """The price that is `rank` levels behind the best; None when there are fewer levels."""
        return self._keys[-1 - rank] * self._sign if rank < len(self._keys) else None

    def at(self, price: int) -> ValuesView[E] | tuple[()]:
        """The entries at a price, first come first."""
        level = self._levels.get(price * self._sign)
        return level.values() if level else ()


class Book(Generic[E]):
    __slots__ = ("asks", "bids")

    def __init__(self) -> None:
        self.bids: BookSide[E] = BookSide(buys=True)
        self.asks: BookSide[E] = BookSide(buys=False)

    def side(self, *, buys: bool) -> BookSide[E]:
        return self.bids if buys else self.asks

    def is_crossed(self) -> bool:
        bid, ask = self.bids.price(), self.asks.price()
        return bid is not None and ask is not None and bid >= ask
