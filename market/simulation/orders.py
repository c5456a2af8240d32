"""The order book of one simulated instrument: single orders, price before time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

Level = tuple[int, int]  # price, size


class Order:
    """One resting order. `maker`: a market maker's. `born`: the step it came in."""

    __slots__ = ("born", "buys", "maker", "number", "price", "size")

    def __init__(self, number: int, price: int, size: int, born: int, *, buys: bool, maker: bool):
        self.number, self.price, self.size, self.born = number, price, size, born
        self.buys, self.maker = buys, maker


class Deal(NamedTuple):
    """One execution. `side` is the taker's; "" in an auction."""

    side: str
    price: int
    size: int


class Book:
    """Two sides, price → orders in order of time. Prices in ticks' scale, sizes in shares; never crossed
    outside an auction. `numbers` counts the orders that ever came.

    A side holds a few dozen prices at most, so looking for the best is cheaper than keeping order.
    """

    __slots__ = ("asks", "bids", "cancelled", "executed", "numbers")

    def __init__(self) -> None:
        self.bids: dict[int, list[Order]] = {}
        self.asks: dict[int, list[Order]] = {}
        self.numbers = self.cancelled = self.executed = 0

    def best_bid(self) -> int:
        return max(self.bids, default=0)

    def best_ask(self) -> int:
        return min(self.asks, default=0)

    def size_at(self, price: int, *, buys: bool) -> int:
        return sum(order.size for order in (self.bids if buys else self.asks).get(price, ()))

    def place(self, price: int, size: int, born: int, *, buys: bool, maker: bool) -> None:
        """A new order joins the end of the queue at its price. It must not cross (the caller takes first)."""
        self.numbers += 1
        order = Order(self.numbers, price, size, born, buys=buys, maker=maker)
        side = self.bids if buys else self.asks
        if price in side:
            side[price].append(order)
        else:
            side[price] = [order]

    def cancel(self, order: Order) -> None:
        """It must stand in the book."""
        side = self.bids if order.buys else self.asks
        queue = side[order.price]
        queue.remove(order)
        self.cancelled += 1
        if not queue:
            del side[order.price]

    def cancel_level(self, price: int, *, buys: bool) -> None:
        side = self.bids if buys else self.asks
        self.cancelled += len(side.pop(price))

    def of_others(self) -> list[Order]:
        """Orders of those who are no makers, the oldest first."""
        found = [
            order
            for side in (self.bids, self.asks)
            for queue in side.values()
            for order in queue
            if not order.maker
        ]
        return sorted(found, key=lambda order: order.number)

    def take(self, side: str, size: int, limit: int) -> list[Deal]:
        """A taker on `side` consumes up to `size` at prices no worse than `limit`; a deal per price."""
        buys = side == "buy"
        book = self.asks if buys else self.bids
        deals: list[Deal] = []
        while size > 0 and book:
            price = min(book) if buys else max(book)
            if price > limit if buys else price < limit:
                break
            taken = self._eat(book, price, size)
            size -= taken
            deals.append(Deal(side, price, taken))
        return deals

    def take_at(self, side: str, price: int, size: int) -> int:
        """At one price only: what was there of `size`."""
        book = self.asks if side == "buy" else self.bids
        return self._eat(book, price, size) if price in book else 0

    def _eat(self, book: dict[int, list[Order]], price: int, size: int) -> int:
        queue = book[price]
        taken = 0
        while queue and taken < size:
            first = queue[0]
            piece = min(first.size, size - taken)
            taken += piece
            first.size -= piece
            if not first.size:
                del queue[0]
                self.executed += 1
        if not queue:
            del book[price]
        return taken

    def top(self, depth: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """The best `depth` prices with their sizes: bids falling, asks rising."""
        bids, asks = self.bids, self.asks
        return (
            tuple([(price, _sum(bids[price])) for price in sorted(bids, reverse=True)[:depth]]),
            tuple([(price, _sum(asks[price])) for price in sorted(asks)[:depth]]),
        )

    def keep(self, low: int, high: int) -> None:
        """Only orders with prices from `low` to `high` stay."""
        for side in (self.bids, self.asks):
            for price in [price for price in side if not low <= price <= high]:
                self.cancelled += len(side.pop(price))

    def freeze(self) -> list[Any]:
        orders = [
            (o.number, o.price, o.size, o.born, o.buys, o.maker)
            for side in (self.bids, self.asks)
            for price in sorted(side)
            for o in side[price]
        ]
        return [self.numbers, orders]

    def thaw(self, frozen: list[Any]) -> None:
        self.numbers, orders = frozen
        self.bids, self.asks = {}, {}
        for number, price, size, born, buys, maker in orders:
            order = Order(number, price, size, born, buys=buys, maker=maker)
            (self.bids if buys else self.asks).setdefault(price, []).append(order)


def _sum(queue: Iterable[Order]) -> int:
    total = 0
    for order in queue:
        total += order.size
    return total
