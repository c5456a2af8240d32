"""The simulated market's call auction: one price at which most is traded. Pure."""

from __future__ import annotations

from typing import NamedTuple

from market.simulation.orders import Book, Level, Order


class Cross(NamedTuple):
    price: int  # 0: nothing meets
    size: int


NOTHING = Cross(0, 0)


def cross_of(book: Book, near: int) -> Cross:
    """The price of the largest volume; of several the one with the least left over, then the one nearest
    to `near` (SSE and SZSE trading rules on call auctions), then the lower one.
    """
    bids, asks = _sizes(book.bids), _sizes(book.asks)
    if not bids or not asks or max(bids) < min(asks):
        return NOTHING
    low, high = min(asks), max(bids)
    wanted, offered = sum(bids.values()), 0
    best = (0, 0, 0, 0)
    for price in sorted(bids.keys() | asks.keys()):
        if price > high:
            break
        offered += asks.get(price, 0)
        if price >= low:
            rank = (-min(wanted, offered), abs(wanted - offered), abs(price - near), price)
            best = min(best, rank)
        wanted -= bids.get(price, 0)
    return Cross(best[3], -best[0])


def uncrossed(book: Book, cross: Cross, depth: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    """What would be displayed if the auction ended now: the book without what meets."""
    bids, asks = _sizes(book.bids), _sizes(book.asks)
    _remove(bids, sorted(bids, reverse=True), cross.size)
    _remove(asks, sorted(asks), cross.size)
    return (
        tuple((price, bids[price]) for price in sorted(bids, reverse=True)[:depth]),
        tuple((price, asks[price]) for price in sorted(asks)[:depth]),
    )


def execute(book: Book, cross: Cross) -> None:
    """Take what meets out of the book, price before time on both sides."""
    if cross.size:
        book.take("buy", cross.size, cross.price)
        book.take("sell", cross.size, cross.price)


def _sizes(side: dict[int, list[Order]]) -> dict[int, int]:
    return {price: sum(order.size for order in queue) for price, queue in side.items()}


def _remove(sizes: dict[int, int], prices: list[int], size: int) -> None:
    for price in prices:
        gone = min(size, sizes[price])
        size -= gone
        sizes[price] -= gone
        if not sizes[price]:
            del sizes[price]
        if not size:
            return
