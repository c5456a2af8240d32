"""Orders that belong together: an entry and its protective legs, a take profit and its stop loss.

Whatever happens to one of them is followed when its command has run (`follow`), so that nothing is
rearranged while orders are being matched.

A pair offers one holding once: the take profit rests and reserves it, the stop loss is `held` beside it
and reserves nothing; its quantity is what the take profit still offers. When the market reaches the
stop, the take profit is canceled and the stop loss takes its place. Where one is done, so is the other,
and with them the rest of an entry that still works.
"""

from __future__ import annotations

from typing import Final

import msgspec

from trading.engine import receipts
from trading.engine.commands import Leg, Terms
from trading.engine.events import LegName, OrderTerms
from trading.engine.matching import arrive, end, leave
from trading.engine.orders import (
    ACTIVATE,
    CANCEL_LINKED,
    EXPIRE,
    EXPIRED,
    FILLED,
    HELD,
    HOLD,
    RESTATE,
    TERMINAL,
    Order,
)
from trading.engine.triggers import EXIT_DONE, stand_by
from trading.engine.turn import Turn

HELD_BACK: Final = receipts.rule("linked", "It waits until the order before it is filled.")
BESIDE: Final = receipts.rule("linked", "It stands beside its take profit, for what that still offers.")
OTHER_ENDED: Final = receipts.rule("linked", "The order it belongs to has ended.")
NOT_SELLABLE: Final = receipts.rule("holding", "What it was to protect cannot be sold.")


def hold_legs(turn: Turn, parent: Order, asked: Terms) -> None:
    """The legs of a bracket, oto or oco come with their order, held."""
    entry = asked.order_class != "oco"
    names: tuple[tuple[LegName, Leg | None], ...] = (
        ("take_profit", asked.take_profit),
        ("stop_loss", asked.stop_loss),
    )
    for name, leg in names:
        if leg is None:
            continue
        other = asked.stop_loss if name == "take_profit" else asked.take_profit
        sibling = (other.order_id if other else "") if entry else parent.id
        terms = OrderTerms(
            stop_price=leg.stop_price,
            fired_by=asked.fired_by,
            expire_ns=asked.expire_ns,
            order_class=asked.order_class,
            parent=parent.id if entry else "",
            leg=name,
            sibling=sibling,
        )
        _hold(turn, parent, leg, terms)


def _hold(turn: Turn, parent: Order, leg: Leg, terms: OrderTerms) -> None:
    kind = "limit" if leg.stop_price is None else "stop" if leg.limit_price is None else "stop_limit"
    market = parent.market
    if parent.terms is not None and parent.effect:
        terms = msgspec.structs.replace(terms, effect="close", basis=parent.terms.basis)
    price = leg.limit_price if leg.limit_price is not None else market.collar(leg.stop_price or 0, buys=False)
    order = Order(
        leg.order_id,
        parent.portfolio,
        market,
        leg.client_order_id,
        "sell",
        kind,
        parent.time_in_force,
        parent.qty,
        leg.limit_price,
        price,
        terms,
    )
    turn.enter(order)
    turn.change(order, HOLD, receipts.order("rested", order, turn.at_ns, HELD_BACK, waits="parent"))


def follow(turn: Turn) -> None:
    """Everything that must happen to others because of what this command did."""
    while turn.links:
        changed = sorted(turn.links.values(), key=_by_id)
        turn.links = None
        for order in changed:
            terms = order.terms
            assert terms is not None
            if terms.legs:
                _follow_entry(turn, order, terms)
            else:
                _follow_leg(turn, order, terms)


def _by_id(order: Order) -> str:
    return order.id


def _follow_entry(turn: Turn, entry: Order, terms: OrderTerms) -> None:
    legs = [turn.state.orders[leg] for leg in terms.legs if leg in turn.state.orders]
    if entry.status in TERMINAL and not entry.filled_qty:
        for leg in legs:
            end(turn, leg, *_end_like(entry))
        return
    for leg in legs:
        assert leg.terms is not None
        if leg.terms.triggered or (entry.filled_qty and leg.terms.sibling and leg.terms.leg == "stop_loss"):
            continue  # on its own already, or led by its take profit
        qty = entry.filled_qty or entry.qty
        if entry.filled_qty and (leg.status == HELD or leg.qty < qty):
            _protect(turn, leg, qty)
        elif leg.status == HELD and leg.qty != qty:
            _restate(turn, leg, qty)


def _protect(turn: Turn, leg: Order, qty: int) -> None:
    """The entry has been filled so far: the leg offers all of it, behind who stands at its price already."""
    assert leg.terms is not None
    event = ACTIVATE if leg.status == HELD else RESTATE
    position = turn.state.position(leg.portfolio, leg.market)
    sellable = position.closable(leg.effect) if leg.effect else position.sellable
    if sellable + leg.reserved_qty < qty - leg.filled_qty:
        end(turn, leg, CANCEL_LINKED, "INSUFFICIENT_SELLABLE", NOT_SELLABLE, sellable=sellable)
        return
    leave(leg)
    leg.qty = qty
    leg.priority = turn.seq
    turn.hold(leg)
    if leg.terms.is_stop:
        stand_by(turn, leg, event)
    else:
        arrive(turn, leg, event)


def _follow_leg(turn: Turn, leg: Order, terms: OrderTerms) -> None:
    orders = turn.state.orders
    other, entry = orders.get(terms.sibling), orders.get(terms.parent)
    if leg.status in TERMINAL:
        if other is not None and other.terms is not None and not other.terms.triggered:
            end(turn, other, *_end_like(leg))
        if entry is not None and leg.status == FILLED:
            end(turn, entry, CANCEL_LINKED, "LINKED_ORDER_FILLED", EXIT_DONE, linked=leg.id)
        return
    if terms.leg == "take_profit" and leg.status != HELD and other is not None:
        _stand_beside(turn, other, leg.leaves)


def _stand_beside(turn: Turn, loss: Order, qty: int) -> None:
    """The stop loss of a pair covers what the take profit still offers, and is armed."""
    if loss.trigger is not None and loss.qty == qty:
        return
    if loss.trigger is None:
        loss.market.arm(loss)
    _restate(turn, loss, qty)


def _restate(turn: Turn, leg: Order, qty: int) -> None:
    leg.qty = qty
    waits = "stop" if leg.trigger else "parent"
    why = BESIDE if leg.trigger else HELD_BACK
    turn.change(leg, RESTATE, receipts.order("rested", leg, turn.at_ns, why, waits=waits))


def _end_like(order: Order) -> tuple[str, str, receipts.Facts]:
    """How an order ends whose companion has ended."""
    if order.status == EXPIRED:
        return EXPIRE, order.reason, OTHER_ENDED
    reason = "LINKED_ORDER_FILLED" if order.status == FILLED else "LINKED_ORDER_ENDED"
    return CANCEL_LINKED, reason, OTHER_ENDED
