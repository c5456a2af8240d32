"""An open order changes: quantity, prices, time in force. It keeps its id."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from trading.engine import at_close, receipts, refusals, risk, terms
from trading.engine.commands import ReplaceOrder, ReplaceWithTerms
from trading.engine.draft import Draft, set_effect, stop_behind
from trading.engine.entry import AS_ASKED, refuse, refuse_touching
from trading.engine.events import OrderTerms
from trading.engine.matching import arrive, leave, stand_aside
from trading.engine.orders import (
    AUCTION_ONLY,
    HELD,
    IMMEDIATE,
    REPLACE,
    REPLACE_TO_FILLED,
    SUSPENDED,
    Order,
)
from trading.engine.refusals import Refusal, unsupported
from trading.engine.triggers import stand_by
from trading.engine.turn import Turn


class Wanted(NamedTuple):
    """The order as it would be."""

    qty: int
    limit_price: int | None
    time_in_force: str
    terms: OrderTerms | None


def replace(turn: Turn, asked: ReplaceOrder) -> None:
    """A better or worse price and a larger quantity send it to the end of the line; a smaller quantity
    keeps its place. A quantity that is filled already ends it, filled (FIX D11, D12).
    """
    order = turn.state.orders.get(asked.order_id)
    refusal = refuse_touching(turn, asked, order)
    if refusal or order is None:
        refuse(turn, refusal, asked.order_id)
        return
    wanted = _wanted(order, asked)
    draft = _draft(order, wanted)
    if refusal := _refuse(turn, asked, order, wanted, draft):
        refuse(turn, refusal, asked.order_id)
        return

    # From here it must succeed.
    if wanted.qty <= order.filled_qty:
        leave(order)
        order.qty = order.filled_qty
        turn.change(order, REPLACE_TO_FILLED, receipts.order("filled", order, turn.at_ns, AS_ASKED))
        return
    _become(turn, order, wanted, draft, renewed=asked.time_in_force is not None)


def _wanted(order: Order, asked: ReplaceOrder) -> Wanted:
    qty = order.qty if asked.qty is None else asked.qty
    limit = order.limit_price if asked.limit_price is None else asked.limit_price
    in_force = asked.time_in_force or order.time_in_force
    found = order.terms
    if type(asked) is ReplaceWithTerms and found is not None:
        named = {
            name: value
            for name in ("stop_price", "trail_price", "trail_ppb", "expire_ns")
            if (value := getattr(asked, name)) is not None
        }
        found = msgspec.structs.replace(found, **named)
        rules = order.market.rules
        if found.hwm is not None and rules is not None:
            stop = stop_behind(rules, found.hwm, found.trail_price, found.trail_ppb, buys=order.buys)
            found = msgspec.structs.replace(found, stop_price=stop)
    if found is not None and in_force != "gtd":
        found = msgspec.structs.replace(found, expire_ns=0)
    return Wanted(qty, limit, in_force, found)


def _draft(order: Order, wanted: Wanted) -> Draft:
    market = order.market
    assert market.rules is not None
    draft = Draft(
        order.portfolio,
        market,
        market.rules,
        order.buys,
        wanted.qty,
        wanted.limit_price,
        order.filled_qty,
        order,
    )
    if wanted.terms is not None and wanted.terms.is_stop:
        draft.stop = draft.base = wanted.terms.stop_price
    elif wanted.limit_price is None:
        draft.base = market.base_price() or order.price
    if order.effect:
        set_effect(draft, order.effect)
    return draft


def _refuse(turn: Turn, asked: ReplaceOrder, order: Order, wanted: Wanted, draft: Draft) -> Refusal | None:
    in_force = asked.time_in_force
    if order.status == SUSPENDED:
        return Refusal("HALTED", f"Trading in {order.market.symbol} is halted.", {"status": SUSPENDED})
    if in_force in IMMEDIATE or (
        in_force is not None and (in_force in AUCTION_ONLY or order.time_in_force in AUCTION_ONLY)
    ):
        return unsupported("An order that rests may be day or gtc.", time_in_force=in_force)
    if asked.limit_price is not None and order.limit_price is None:
        return refusals.limit_price(order.type)
    if refusal := _refuse_terms(turn, asked, order, wanted):
        return refusal
    now = (order.qty, order.limit_price, order.time_in_force, order.terms)
    if now == wanted:
        return Refusal("NOTHING_TO_REPLACE", "The change would leave the order as it is.", {})
    if 0 < wanted.qty <= order.filled_qty:
        return None
    if draft.stop is not None and order.terms != wanted.terms and (refusal := terms.refuse_passed(draft)):
        return refusal
    return risk.refuse_replaced(turn.state, draft, turn.at_ns)


def _refuse_terms(turn: Turn, asked: ReplaceOrder, order: Order, wanted: Wanted) -> Refusal | None:
    now = order.terms
    led = now is not None and (now.parent or (now.sibling and now.leg == "stop_loss"))
    if led and wanted.qty != order.qty:
        return unsupported("The quantity of a leg is that of the order before it.")
    if (wanted.time_in_force == "gtd") != bool(wanted.terms and wanted.terms.expire_ns):
        return unsupported("A gtd order, and no other, says when it expires.")
    if wanted.terms and 0 < wanted.terms.expire_ns <= turn.state.world_ns:
        return refusals.expired(wanted.terms.expire_ns, turn.state.world_ns)
    if type(asked) is not ReplaceWithTerms:
        return None
    trails = now is not None and now.hwm is not None
    if asked.stop_price is not None and (now is None or not now.is_stop or trails):
        return unsupported("The order waits for no stop price that could be changed.")
    for name in ("trail_price", "trail_ppb"):
        if getattr(asked, name) is not None and (
            now is None or not now.is_stop or getattr(now, name) is None
        ):
            return unsupported(f"The order has no {name} that could be changed.")
    if wanted.terms and not terms.is_trail(wanted.terms.trail_price, wanted.terms.trail_ppb):
        return terms.NO_TRAIL
    return None


def _become(turn: Turn, order: Order, wanted: Wanted, draft: Draft, *, renewed: bool) -> None:
    """The change itself: each kind goes back to where its kind waits."""
    price = draft.worst_price()
    moved = price != order.price or wanted.qty > order.qty
    held, armed, aside = order.status == HELD, order.trigger is not None, order.id in order.market.aside
    if held:
        order.market.disarm(order)
    elif moved or aside:
        leave(order)
        order.priority = turn.seq
    order.qty, order.limit_price, order.price = wanted.qty, wanted.limit_price, price
    order.terms = wanted.terms
    if order.terms is not None and order.effect:  # held back is what it may cost by today's marks
        order.terms = msgspec.structs.replace(order.terms, basis=draft.basis)
    if renewed:
        order.time_in_force = wanted.time_in_force
        order.market_day = turn.state.market_day
    turn.state.note_expiry(order)
    if held:
        if armed:
            order.market.arm(order)
        receipt = receipts.order("rested", order, turn.at_ns, AS_ASKED, waits="stop" if armed else "parent")
        turn.change(order, REPLACE, receipt)
        return
    turn.hold(order)
    if order.terms is not None and order.terms.is_stop:
        stand_by(turn, order, REPLACE)
    elif order.time_in_force in AUCTION_ONLY:
        stand_aside(turn, order, REPLACE)
    elif order.waits == at_close.WAITS:
        at_close.arrive(turn, order, REPLACE)
    elif moved:
        arrive(turn, order, REPLACE)
    else:
        more = {"waits": order.waits} if order.waits else {}
        turn.change(order, REPLACE, receipts.order("rested", order, turn.at_ns, AS_ASKED, **more))
