"""Stops: they wait beside the book until the market reaches their price, then arrive like any order.

Trade prints fire them, or the best displayed price where the order says so: a buy stop when a print
(the best ask) is at its price or above, a sell stop when a print (the best bid) is at it or below.
Only while orders match: a halt, a pause or an old quote fires nothing. Trades between players do not
count, so that nobody fires another's stop by trading with himself.

What one tick fires arrives in order of id, which is the order in time.
"""

from __future__ import annotations

from typing import Any

import msgspec

from market.book import Book
from trading.engine import receipts, risk
from trading.engine.draft import stop_behind
from trading.engine.events import OrderTerms
from trading.engine.markets import Market, Trigger
from trading.engine.matching import arrive, end, finish
from trading.engine.orders import CANCEL_LINKED, HELD, MASS_CANCEL, RESTATE, TRIGGER, Order
from trading.engine.turn import Turn

REACHED = receipts.rule("stop_price", "The market reached its stop price.")
WAITS = receipts.rule("stop_price", "It waits for the market to reach its stop price.")
TRAILS = receipts.rule("trail", "The market made a new best price, and the stop follows it.")
EXIT_DONE = receipts.rule("linked", "What it bought is sold again: the rest is not bought any more.")
TOOK_PLACE = receipts.rule("linked", "The stop loss was triggered and takes its place.")


def stand_by(turn: Turn, order: Order, event: str) -> None:
    """The stop is accepted, or changed: it waits beside the book, holding its reservation."""
    assert order.terms is not None
    if order.limit_price is None:
        order.price = order.market.collar(order.terms.stop_price or 0, buys=order.buys)
    order.waits = "stop"
    order.market.aside[order.id] = order
    order.market.arm(order)
    turn.change(order, event, receipts.order("rested", order, turn.at_ns, WAITS, waits="stop"))


def on_print(turn: Turn, market: Market, price: int, seen: receipts.Facts) -> None:
    """A trade print at `price`, while orders match. `seen`: the print as receipts tell it."""
    for order in sorted(market.trailing.values(), key=_by_id):
        _trail(turn, order, price)
    if "print" in market.stops:
        _fire(turn, market.stops["print"], {True: price, False: price}, {"print": seen})


def on_quote(turn: Turn, market: Market) -> None:
    """The displayed depth, while orders match."""
    if "quote" in market.stops:
        reached = {side.bids is False: side.shown[0][0] for side in (market.bids, market.asks) if side.shown}
        _fire(turn, market.stops["quote"], reached, {})


def _by_id(order: Order) -> str:
    return order.id


def _trail(turn: Turn, order: Order, price: int) -> None:
    terms = order.terms
    assert terms is not None
    assert terms.hwm is not None
    if price >= terms.hwm if order.buys else price <= terms.hwm:
        return
    rules = order.market.rules
    assert rules is not None
    stop = stop_behind(rules, price, terms.trail_price, terms.trail_ppb, buys=order.buys)
    order.market.disarm(order)
    order.terms = msgspec.structs.replace(terms, hwm=price, stop_price=stop)
    order.market.arm(order)
    order.price = order.market.collar(stop, buys=order.buys)
    if order.buys or order.effect:  # its stop moved, and with it what it may cost
        turn.reserve_cash(order, order.market.hold_of(order))
    turn.change(order, RESTATE, receipts.order("rested", order, turn.at_ns, TRAILS, waits="stop"))


def _fire(turn: Turn, book: Book[Trigger], reached: dict[bool, int], seen: dict[str, Any]) -> None:
    """`reached`: by side of the order (buys or not), the price that its stops are held against."""
    fired: list[Order] = []
    for buys, price in reached.items():
        side = book.side(buys=not buys)
        while (stop := side.price()) is not None and (stop <= price if buys else stop >= price):
            for trigger in list(side.at(stop)):
                fired.append(trigger.order)
                trigger.order.market.disarm(trigger.order)
    for order in sorted(fired, key=_by_id):
        if order.id in turn.state.orders:
            _enter(turn, order, seen)


def _enter(turn: Turn, order: Order, seen: dict[str, Any]) -> None:
    """A fired stop becomes the market or limit order that it was to be."""
    terms = order.terms
    assert terms is not None
    if order.status == HELD and not _takes_place_of_sibling(turn, order, terms):
        return
    if (entry := turn.state.orders.get(terms.parent)) is not None:  # else the two would meet
        end(turn, entry, CANCEL_LINKED, "LINKED_ORDER_TRIGGERED", EXIT_DONE, linked=order.id)
    order.terms = msgspec.structs.replace(terms, triggered=True)
    order.market.aside.pop(order.id, None)
    order.priority = turn.seq
    order.waits = ""
    _set_worst_price(turn, order)
    turn.change(order, TRIGGER, receipts.order("rested", order, turn.at_ns, REACHED, **seen))
    refusal = None
    if order.limit_price is not None:
        refusal = risk.refuse_triggered(turn.state, order.market, order, turn.at_ns)
    if refusal:
        why = receipts.rule(refusal.rule, refusal.detail, refusal.row)
        finish(turn, order, MASS_CANCEL, refusal.code, why, **refusal.facts)
        return
    arrive(turn, order, RESTATE)


def _takes_place_of_sibling(turn: Turn, order: Order, terms: OrderTerms) -> bool:
    """The stop loss of a pair: what the take profit offered is its to sell, unless this very tick took it."""
    other = turn.state.orders.get(terms.sibling)
    if other is None:
        return False
    order.qty = other.leaves
    end(turn, other, CANCEL_LINKED, "LINKED_ORDER_TRIGGERED", TOOK_PLACE, linked=order.id)
    turn.reserve_qty(order, order.leaves)
    return True


def _set_worst_price(turn: Turn, order: Order) -> None:
    """Without a limit: the collar around the best displayed price; a buy no further than cash allows."""
    market = order.market
    other = market.side(buys=not order.buys).shown
    if order.limit_price is not None or not other:
        return
    price = market.collar(other[0][0], buys=order.buys)
    if order.effect or not order.buys:
        order.price = price
        if order.effect:
            turn.reserve_cash(order, market.hold_of(order))
        return
    needed = market.reservation(price, order.leaves, order.filled_cash, order.filled_qty)
    if needed - order.reserved_cash <= order.portfolio.cash.available:
        order.price = price
        turn.reserve_cash(order, needed)
