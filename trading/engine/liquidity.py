"""Who stands before whom: the line at a price, walking it, and what a quote leaves of it.

At one price displayed size and players' orders stand in one line (line.Line). A player's order knows its
`queue_ahead`, the displayed size that stood before it when it came; displayed size beyond that came
later and stands behind it. Takers and trade prints use the line up from its front:

    displayed 500, Alice's 200 came when 300 were displayed:   300 displayed | 200 Alice | 200 displayed

What players took of displayed size is remembered per price (`Side.taken`) and is gone for
everybody until a newer quote shows more there: with D displayed and t taken, a quote that shows D'
leaves D' - min(t, D'), which is the same as clamp(left + (D' - D), 0, D'); a level that vanishes is
forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from market.ticks import Quote
from trading.engine.markets import Market, Side
from trading.engine.orders import Order
from trading.engine.records import Step, Walk
from trading.engine.state import Portfolio


def walk(side: Side, *, price: int, qty: int, portfolio: Portfolio) -> Walk:
    """What an order would take of the other `side` now: best price first, each price's line from its
    front. Changes nothing.
    """
    if side.book.best is None:
        return _walk_displayed(side, price, qty)
    bids = side.bids
    nearest = side.best()
    if nearest and (nearest[0] < price if bids else nearest[0] > price):
        return Walk([], 0, None, nearest)
    steps: list[Step] = []
    want = qty
    for at, free, makers in _levels(side):
        if at < price if bids else at > price:
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
            size = min(maker.leaves, want)
            steps.append(Step(at, size, maker.leaves, maker))
            want -= size
        behind = free - passed if free - passed < want else want
        if behind > 0:
            steps.append(Step(at, behind, free - passed, None))
            want -= behind
        if not want:
            break
    return Walk(steps, qty - want, None, None)


def _walk_displayed(side: Side, price: int, qty: int) -> Walk:
    """The same where no player rests."""
    bids, taken = side.bids, side.taken
    steps: list[Step] = []
    want = qty
    for at, size in side.shown:
        free = max(size - taken[at], 0) if at in taken else size
        if at < price if bids else at > price:
            return Walk(steps, qty - want, None, (at, free))
        if free:
            part = free if free < want else want
            steps.append(Step(at, part, free, None))
            want -= part
            if not want:
                break
    return Walk(steps, qty - want, None, None)


def _levels(side: Side) -> Iterator[tuple[int, int, Iterable[Order]]]:
    """Each price of one side, best first: displayed size that is left, and the players who rest there."""
    sign = -1 if side.bids else 1  # turns "better" into "smaller" for both sides
    taken, book = side.taken, side.book
    rank = 0
    for price, size in side.shown:
        while (booked := book.price(rank)) is not None and booked * sign < price * sign:
            yield booked, 0, book.at(booked)
            rank += 1
        free = max(size - taken.get(price, 0), 0)
        if booked == price:
            rank += 1
            yield price, free, book.at(price)
        else:
            yield price, free, ()
    while (booked := book.price(rank)) is not None:
        yield booked, 0, book.at(booked)
        rank += 1


def take(side: Side, price: int, size: int) -> None:
    """Displayed size is used up from the front of the line: it is gone, and queues behind it move."""
    side.taken[price] = side.taken.get(price, 0) + size
    if price in side.lines:
        side.lines[price].take(size)


def show(market: Market, quote: Quote) -> None:
    """A newer quote stands. The same depth again changes nothing but its freshness."""
    before = market.quote
    market.set_quote(quote)
    if before is None or before.bids != quote.bids:
        _rebase(market.bids)
    if before is None or before.asks != quote.asks:
        _rebase(market.asks)


def _rebase(side: Side) -> None:
    if side.taken:
        side.taken = {
            price: min(side.taken[price], size) for price, size in side.shown if price in side.taken
        }
    _shrink_queues(side)


def _shrink_queues(side: Side) -> None:
    """Nobody waits behind more than is displayed. Prices deeper than the last level are not seen."""
    book, shown = side.book, side.shown
    if book.best is None:
        return
    sign = -1 if side.bids else 1
    rank = 0
    while (price := book.price(rank)) is not None:
        if shown and price * sign > shown[-1][0] * sign:
            return
        side.lines[price].shrink(side.left_at(price))
        rank += 1
