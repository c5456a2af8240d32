"""The call auction: orders are collected, and when the phase ends they meet at one price.

The price is one at which the largest volume trades. Where several are, the venue's rulebook says
which (InstrumentRules.auction_ties):

* `pressure`, of common call auctions: the smallest imbalance between what is bid and what is offered;
  then, when every such price leaves buyers over, the highest, or sellers over, the lowest; then the
  nearest to the reference; then the higher.
* `middle` (SSE trading rules 3.6.2): of the prices that orders name, those of the smallest imbalance;
  then the middle between the lowest and the highest of them, half-up to the tick.
* `nearest` (SZSE trading rules 3.6.2): the smallest imbalance, then the nearest to the reference.
* `last_pair` (the futures exchanges' trading rules): best bids and offers are paired off until no
  more meet. When the last pair is served whole on both sides, the middle of its two prices, half-up
  to the tick; else the price of the one that is left over.

The reference is the last trade, else the previous close; for an opening auction under `nearest` it is
the previous close. Displayed depth takes part like orders of the market, before players at the same
price, because it was seen there first. Who is served: better price first, then displayed depth, then time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import NamedTuple

from simgame.kernel.money import half_up
from trading.engine import liquidity, receipts
from trading.engine.fills import trade_with_market, trade_with_player
from trading.engine.markets import Market, Side
from trading.engine.matching import end, leave
from trading.engine.orders import (
    FILL_PART,
    FILL_REST,
    KILL,
    STOP_SELF_TRADE,
    SUSPENDED,
    Order,
    by_priority,
)
from trading.engine.turn import Turn

OWN = receipts.rule("self_trade", "It would have traded with your own order.")
OVER = receipts.rule("time_in_force", "Its auction is over.")


class Bid(NamedTuple):
    """Something that wants to trade in the auction: a player's order, or displayed size (order None)."""

    price: int
    size: int
    order: Order | None


class Outcome(NamedTuple):
    price: int
    volume: int
    bought: int  # what is bid at the price or better
    sold: int  # what is offered at the price or better
    decided_by: str  # volume | imbalance | pressure | reference | middle | last_pair


def cross(turn: Turn, market: Market, *, closing: bool) -> None:
    """The auction ends. Orders for this auction only end with it; the others wait for what comes."""
    only = "cls" if closing else "opg"
    mine = [*market.waiting.values(), *(o for o in market.aside.values() if o.time_in_force == only)]
    if market.is_fresh(turn.at_ns) and not market.halted:
        orders = _without_own_meetings(turn, sorted(mine, key=by_priority))
        buys = list(_bids(market.bids, orders))
        sells = list(_bids(market.asks, orders))
        if outcome := price_of(buys, sells, market, closing=closing):
            _match(turn, market, outcome, buys, sells)
    for order in sorted(market.aside.values(), key=by_priority):
        if order.time_in_force == only:
            event = KILL if order.status != SUSPENDED else "cancel"
            end(turn, order, event, "AUCTION_ENDED", OVER)


def _without_own_meetings(turn: Turn, orders: list[Order]) -> list[Order]:
    """Own orders never meet: the later of two that cross is canceled before prices are compared."""
    kept: list[Order] = []
    best: dict[tuple[int, bool], int] = {}  # portfolio, buys → its best price so far
    for order in orders:
        key, other = (order.portfolio.id, order.buys), best.get((order.portfolio.id, not order.buys))
        if other is not None and (order.price >= other if order.buys else order.price <= other):
            end(turn, order, STOP_SELF_TRADE, "SELF_TRADE", OWN, price=other)
            continue
        kept.append(order)
        mine = best.get(key, order.price)
        best[key] = max(mine, order.price) if order.buys else min(mine, order.price)
    return kept


def _bids(side: Side, orders: list[Order]) -> Iterator[Bid]:
    """One side, who is served first to last."""
    sign = -1 if side.bids else 1
    entries = [(price * sign, 0, Bid(price, side.left_at(price), None)) for price, _ in side.shown]
    entries += [
        (order.price * sign, n, Bid(order.price, order.leaves, order))
        for n, order in enumerate(orders, 1)
        if order.buys == side.bids
    ]
    for _, _, bid in sorted(entries, key=lambda entry: entry[:2]):
        if bid.size:
            yield bid


class Curve:
    """How much one side trades at a price or better."""

    def __init__(self, bids: list[Bid], sign: int) -> None:
        self.sign = sign
        self.keys = [bid.price * sign for bid in bids]
        self.sums = [0, *accumulate(bid.size for bid in bids)]

    def at(self, price: int) -> int:
        return self.sums[bisect_right(self.keys, price * self.sign)]


def price_of(buys: list[Bid], sells: list[Bid], market: Market, *, closing: bool = True) -> Outcome | None:
    """The one price, and what trades at it; None when nothing does."""
    if not buys or not sells or buys[0].price < sells[0].price:
        return None
    rules = market.rules
    tick, ties = (rules.tick, rules.auction_ties) if rules else (1, "pressure")
    reference = _reference(market, opening=ties == "nearest" and not closing)
    demand, supply = Curve(buys, -1), Curve(sells, 1)
    named = {bid.price for bid in (*buys, *sells)}
    found = []
    for price in sorted(named) if ties == "middle" else _candidates(named, reference, tick):
        bought, sold = demand.at(price), supply.at(price)
        found.append(Outcome(price, min(bought, sold), bought, sold, "volume"))
    most = max(each.volume for each in found)
    found = [each for each in found if each.volume == most]
    if ties == "last_pair":
        price = _last_pair(buys, sells, most, tick)
        return Outcome(price, most, demand.at(price), supply.at(price), "last_pair")
    if len(found) == 1:
        return found[0]
    least = min(abs(each.bought - each.sold) for each in found)
    found = [each for each in found if abs(each.bought - each.sold) == least]
    if len(found) == 1:
        return found[0]._replace(decided_by="imbalance")
    if ties == "middle":
        price = half_up(found[0].price + found[-1].price, 2 * tick) * tick
        return Outcome(price, most, demand.at(price), supply.at(price), "middle")
    if ties == "pressure" and all(each.bought > each.sold for each in found):
        return found[-1]._replace(decided_by="pressure")
    if ties == "pressure" and all(each.bought < each.sold for each in found):
        return found[0]._replace(decided_by="pressure")
    nearest = min(found, key=lambda each: (abs(each.price - reference), -each.price))
    return nearest._replace(decided_by="reference")


def _reference(market: Market, *, opening: bool) -> int:
    previous = market.reference.previous_close if market.reference else 0
    return previous if opening and previous else market.base_price()


def _last_pair(buys: list[Bid], sells: list[Bid], volume: int, tick: int) -> int:
    """The price of the last bid and offer that meet when `volume` is paired off."""
    bid, bid_whole = _last_served(buys, volume)
    offer, offer_whole = _last_served(sells, volume)
    if bid_whole == offer_whole:
        return half_up(bid + offer, 2 * tick) * tick
    return offer if bid_whole else bid


def _last_served(bids: list[Bid], volume: int) -> tuple[int, bool]:
    """The price of the last one served, and whether it is served whole."""
    for bid in bids:
        volume -= bid.size
        if volume <= 0:
            return bid.price, volume == 0
    raise AssertionError("more is to be served than was bid")


def _candidates(prices: set[int], reference: int, tick: int) -> list[int]:
    """Every price at which something is bid or offered. Between two of them nothing changes from tick to
    tick: there both ends and the tick nearest to the reference stand for all.
    """
    found = set(prices)
    for low, high in pairwise(sorted(prices)):
        if high - low > tick:
            first, last = low + tick, high - tick
            found |= {first, last, min(max(reference // tick * tick, first), last)}
    return sorted(found)


def _match(turn: Turn, market: Market, outcome: Outcome, buys: list[Bid], sells: list[Bid]) -> None:
    """Both sides are served in their order until the volume is used up, and meet one after another."""
    facts: receipts.Facts = {
        "quote": market.looked_at(turn.at_ns),
        "levels": [],
        "queue_ahead": 0,
        "rule": receipts.rule("auction", "The auction's one price."),
        "auction": {**outcome._asdict(), "reference": market.base_price()},
    }
    takers, makers = _served(buys, outcome.volume), _served(sells, outcome.volume)
    for buyer, seller, size in _meetings(takers, makers):
        if buyer is not None and seller is not None:
            trade_with_player(turn, buyer, seller, outcome.price, size, facts)
        elif buyer is not None or seller is not None:
            trade_with_market(turn, buyer or seller, outcome.price, size, facts)  # type: ignore[arg-type]
    for side, served in ((market.bids, takers), (market.asks, makers)):
        _settle(turn, side, served, facts)


def _served(bids: list[Bid], volume: int) -> list[Bid]:
    served = []
    for bid in bids:
        size = min(bid.size, volume)
        if not size:
            break
        served.append(bid._replace(size=size))
        volume -= size
    return served


def _meetings(buys: list[Bid], sells: list[Bid]) -> Iterator[tuple[Order | None, Order | None, int]]:
    """Pairs of both queues, and how much each pair trades."""
    wanted, offered = [b.size for b in buys], [s.size for s in sells]
    b = s = 0
    while b < len(buys) and s < len(sells):
        size = min(wanted[b], offered[s])
        yield buys[b].order, sells[s].order, size
        wanted[b] -= size
        offered[s] -= size
        b, s = b + (not wanted[b]), s + (not offered[s])


def _settle(turn: Turn, side: Side, served: list[Bid], facts: receipts.Facts) -> None:
    """Displayed size that was served is used up; each order's row tells what came of it."""
    for bid in served:
        order = bid.order
        if order is None:
            liquidity.take(side, bid.price, bid.size)
        elif order.leaves:
            receipt = receipts.order("rested", order, turn.at_ns, facts["rule"], waits=order.waits)
            turn.change(order, FILL_PART, receipt)
        else:
            leave(order)
            turn.change(order, FILL_REST, {"decided": "filled", "at": turn.at_ns, **facts})
