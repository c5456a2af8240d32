"""A small book of price levels with sizes: what the simulated market shows."""

from __future__ import annotations

Fill = tuple[int, int]  # price, size


class Levels:
    """Two sides, price → size. Prices in ticks' scale, sizes in shares; never crossed.

    A side holds at most a few dozen levels, so sorting its keys is cheaper than keeping order.
    """

    __slots__ = ("asks", "bids")

    def __init__(self) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}

    def best_bid(self) -> int:
        return max(self.bids, default=0)

    def best_ask(self) -> int:
        return min(self.asks, default=0)

    def top(self, depth: int) -> tuple[tuple[Fill, ...], tuple[Fill, ...]]:
        """The best `depth` levels: bids falling, asks rising."""
        return (
            tuple((price, self.bids[price]) for price in sorted(self.bids, reverse=True)[:depth]),
            tuple((price, self.asks[price]) for price in sorted(self.asks)[:depth]),
        )

    def take(self, side: str, size: int, limit: int) -> list[Fill]:
        """A taker on `side` consumes up to `size` at prices no worse than `limit`, best first."""
        book = self.asks if side == "buy" else self.bids
        fills: list[Fill] = []
        for price in sorted(book, reverse=side == "sell"):
            if size <= 0 or (price > limit if side == "buy" else price < limit):
                break
            taken = min(size, book[price])
            size -= taken
            book[price] -= taken
            if not book[price]:
                del book[price]
            fills.append((price, taken))
        return fills
