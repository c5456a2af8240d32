"""Who stands before whom: the line at a price, walking it, and what a quote leaves of it.

At one price displayed size and players' orders stand in one line. A player's order remembers
`queue_ahead`, the displayed size that stood before it when it came; displayed size beyond that came
later and stands behind it. Takers and trade prints use the line up from its front:

    displayed 500, Alice's 200 came when 300 were displayed:   300 displayed | 200 Alice | 200 displayed

What players took of displayed size is remembered per price (`Market.taken_*`) and is gone for
everybody until a newer quote shows more there: with D displayed and t taken, a quote that shows D'
leaves D' - min(t, D'), which is the same as clamp(left + (D' - D), 0, D'); a level that vanishes is
forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from market.ticks import Quote
from trading.engine.orders import Order
from trading.engine.state import Market, Portfolio


class Step(NamedTuple):
    """One piece of a walk: `size` at `price`, from `maker` or, when None, from displayed depth."""

    price: int
    size: int
    shown: int  # what was there: displayed size not yet taken, or what the maker still wants
    maker: Order | None


class Walk(NamedTuple):
    steps: list[Step]
    filled: int
    own: Order | None  # the walk met an order of the same portfolio, and stopped
    beyond: tuple[int, int] | None  # the next level, which it did not touch: price, displayed size


def left_at(market: Market, price: int, *, bids: bool) -> int:
    """Displayed size at a price that no player has taken; 0 when the price is not displayed."""
    for shown_price, size in market.shown(bids=bids):
        if shown_price == price:
            return max(size - market.taken(bids=bids).get(price, 0), 0)
    return 0


def walk(market: Market, *, buys: bool, price: int, qty: int, portfolio: Portfolio) -> Walk:
    """What an order would take now, best price first, each price's line from its front. Changes nothing."""
    steps: list[Step] = []
    want = qty
    for at, free, makers in _levels(market, bids=not buys):
        if at > price if buys else at < price:
            return Walk(steps, qty - want, None, (at, free))
        passed = 0  # displayed size that the walk has used at this price
        for maker in makers:
            ahead = min(maker.queue_ahead - passed, free - passed, want)
            if ahead > 0:
                steps.append(Step(at, ahead, free - passed, None))
                passed += ahead
                want -= ahead
            if not want:
                break
            if maker.portfolio is portfolio:
                return Walk(steps, qty - want, maker, None)
            steps.append(Step(at, min(maker.leaves, want), maker.leaves, maker))
            want -= steps[-1].size
        behind = min(free - passed, want)
        if behind > 0:
            steps.append(Step(at, behind, free - passed, None))
            want -= behind
        if not want:
            break
    return Walk(steps, qty - want, None, None)


def _levels(market: Market, *, bids: bool) -> Iterator[tuple[int, int, Iterable[Order]]]:
    """Each price of one side, best first: displayed size that is left, and the players who rest there."""
    sign = -1 if bids else 1  # turns "better" into "smaller" for both sides
    shown, taken = market.shown(bids=bids), market.taken(bids=bids)
    side = market.book.side(buys=bids)
    rank = 0
    for price, size in shown:
        while (booked := side.price(rank)) is not None and booked * sign < price * sign:
            yield booked, 0, side.at(booked)
            rank += 1
        free = max(size - taken.get(price, 0), 0)
        if booked == price:
            rank += 1
            yield price, free, side.at(price)
        else:
            yield price, free, ()
    while (booked := side.price(rank)) is not None:
        yield booked, 0, side.at(booked)
        rank += 1


def take(market: Market, price: int, size: int, *, bids: bool) -> None:
    """Displayed size is used up from the front of the line: it is gone, and queues behind it move."""
    taken = market.taken(bids=bids)
    taken[price] = taken.get(price, 0) + size
    for order in market.book.side(buys=bids).at(price):
        order.queue_ahead = max(order.queue_ahead - size, 0)


def show(market: Market, quote: Quote) -> None:
    """A newer quote stands. The same depth again changes nothing but its freshness."""
    before, market.quote = market.quote, quote
    if before is None or before.bids != quote.bids:
        _rebase(market, bids=True)
    if before is None or before.asks != quote.asks:
        _rebase(market, bids=False)


def _rebase(market: Market, *, bids: bool) -> None:
    shown = market.shown(bids=bids)
    taken = market.taken(bids=bids)
    if taken:
        kept = {price: min(taken[price], size) for price, size in shown if price in taken}
        taken.clear()
        taken.update(kept)
    _shrink_queues(market, bids=bids)


def _shrink_queues(market: Market, *, bids: bool) -> None:
    """Nobody waits behind more than is displayed. Prices deeper than the last level are not seen."""
    side = market.book.side(buys=bids)
    if not side:
        return
    shown = market.shown(bids=bids)
    sign = -1 if bids else 1
    rank = 0
    while (price := side.price(rank)) is not None:
        if shown and price * sign > shown[-1][0] * sign:
            return
        left = left_at(market, price, bids=bids)
        for order in side.at(price):
            order.queue_ahead = min(order.queue_ahead, left)
        rank += 1
