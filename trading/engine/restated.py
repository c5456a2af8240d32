"""What a corporate action makes of open orders: FINRA rule 5330, adapted to orders that reserve.

* split, bonus: what is left of the order times new / old, buys in whole lots; prices by old / new, a
  player's own limit rounded in his favour. What is filled already stays counted in old shares. Orders
  that hang together (brackets, oco, oto), and what is less than a lot or a tick then, are canceled.
* dividend, rights: buy limits and sell stops go down by what the ex-date takes off the price, to the tick
  below; sell limits and buy stops stay.
* reverse split, rename, delisting: canceled, because neither quantity nor price fits any more.

Everyone keeps his place in time. What an order was is told in its receipt, so that a reversal can restore it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from simgame.kernel.money import half_up
from trading.engine import receipts
from trading.engine.commands import CorporateAction, OrderWas
from trading.engine.events import OrderTerms
from trading.engine.margin import OPEN
from trading.engine.markets import Market
from trading.engine.matching import end, leave
from trading.engine.orders import HELD, MASS_CANCEL, RESTATE, Order, by_priority
from trading.engine.turn import Turn

CANCELED = "CORPORATE_ACTION"  # the reason of orders that do not fit any more
CORRECTED = "CORRECTED"  # the reason of those that stood in the way of a correction


class Shape(NamedTuple):
    """What an action may change of an order."""

    qty: int
    price: int  # the worst it may trade at
    limit_price: int | None
    terms: OrderTerms | None

    @property
    def is_possible(self) -> bool:
        stop = self.terms.stop_price if self.terms else None
        return self.qty > 0 and self.price > 0 and (stop is None or stop > 0)


class Stand(NamedTuple):
    """Where an order stood before it was taken out to be changed."""

    order: Order
    aside: bool
    armed: bool
    was: dict[str, Any]


def orders_of(turn: Turn, market: Market) -> list[Order]:
    """Every open order of the instrument, legs that wait included, by priority."""
    return sorted((each for each in turn.state.orders.values() if each.market is market), key=by_priority)


def end_against(turn: Turn, market: Market, portfolio: int, why: receipts.Facts) -> None:
    """Orders of a margin portfolio that would open against its position end, the newest first.

    Players cannot send one while there is a position (see credit); but one may rest, and then the position
    comes by other ways than a fill. Its fill would close what it thinks it opens, at no cost.
    """
    position = turn.state.portfolios[portfolio].positions.get(market.symbol)
    held = position.held.posted if position else 0
    for order in reversed(orders_of(turn, market)):
        opens = order.portfolio.id == portfolio and order.effect == OPEN
        against = held < 0 if order.buys else held > 0
        if opens and against and order.id in turn.state.orders:
            end(turn, order, MASS_CANCEL, CORRECTED, why)


def restate(turn: Turn, market: Market, asked: CorporateAction) -> None:
    """Every open order of the instrument becomes what the action makes of it, or ends."""
    why = receipts.rule("corporate_action", f"{asked.kind.capitalize()} of {asked.symbol}.", asked.client_id)
    standing: list[Stand] = []
    for order in orders_of(turn, market):
        shape = _shape(order, market, asked)
        if shape is None or not shape.is_possible:
            if order.id in turn.state.orders:
                end(turn, order, MASS_CANCEL, CANCELED, why)
        elif shape != Shape(order.qty, order.price, order.limit_price, order.terms):
            standing.append(_take_out(order, shape))
            order.queue_ahead = order.queue_ahead * asked.new // asked.old
    _put_back(turn, market, standing, why, asked.client_id)


def restore(turn: Turn, market: Market, orders: tuple[OrderWas, ...], key: str) -> None:
    """A reversed action: orders that nothing has happened to since are again what they were."""
    why = receipts.rule("corporate_action", f"The action on {market.symbol} was reversed.", key)
    standing: list[Stand] = []
    for was in orders:
        order = turn.state.orders.get(was.order_id)
        if order is None or order.version != was.version:
            continue  # it has ended, or its player has changed it: it stays as it is
        terms = order.terms and msgspec.structs.replace(
            order.terms, stop_price=was.stop_price, trail_price=was.trail_price, hwm=was.hwm
        )
        standing.append(_take_out(order, Shape(was.qty, was.price, was.limit_price, terms)))
    _put_back(turn, market, standing, why, key)


def forget_prices(market: Market) -> None:
    """Quotes and prints from before the action say nothing any more: no fill until there is a new quote."""
    market.quote = None
    market.last_price = 0
    market.fresh_until_ns = -1
    for side in (market.bids, market.asks):
        side.show(())
        side.taken = {}


def _shape(order: Order, market: Market, asked: CorporateAction) -> Shape | None:
    """None: the order cannot go on."""
    if asked.kind in ("dividend", "rights"):
        return _reduced(order, market, asked.reduce_by)
    if asked.kind not in ("split", "bonus") or asked.new < asked.old:
        return None
    if order.terms is not None and order.terms.is_linked:
        return None
    return _divided(order, market, asked)


def _divided(order: Order, market: Market, asked: CorporateAction) -> Shape | None:
    if market.rules is None:
        return None
    tick, lot = market.rules.tick, market.rules.lot
    left = order.leaves * asked.new // asked.old
    left -= left % lot if order.buys else 0

    def own(price: int) -> int:
        scaled = price * asked.old
        return (scaled // (asked.new * tick) if order.buys else -(-scaled // (asked.new * tick))) * tick

    def nearest(price: int | None) -> int | None:
        return None if price is None else half_up(price * asked.old, asked.new * tick) * tick

    terms = order.terms and msgspec.structs.replace(
        order.terms,
        stop_price=nearest(order.terms.stop_price),
        trail_price=nearest(order.terms.trail_price),
        hwm=nearest(order.terms.hwm),
    )
    limit = None if order.limit_price is None else own(order.limit_price)
    return Shape(order.filled_qty + left if left else 0, own(order.price), limit, terms)


def _reduced(order: Order, market: Market, by: int) -> Shape | None:
    if market.rules is None:
        return None
    tick, terms = market.rules.tick, order.terms

    def lower(price: int | None) -> int | None:
        return None if price is None else (price - by) // tick * tick

    same = Shape(order.qty, order.price, order.limit_price, terms)
    waits_for_stop = terms is not None and terms.stop_price is not None and not terms.triggered
    if order.buys == waits_for_stop:
        return same
    if waits_for_stop and terms is not None:
        terms = msgspec.structs.replace(terms, stop_price=lower(terms.stop_price), hwm=lower(terms.hwm))
    return Shape(order.qty, lower(order.price) or 0, lower(order.limit_price), terms)


def _take_out(order: Order, shape: Shape) -> Stand:
    waits, terms = order.waits, order.terms
    was = {"qty": order.qty, "price": order.price, "limit_price": order.limit_price}
    if terms is not None:
        was |= {"stop_price": terms.stop_price, "trail_price": terms.trail_price, "hwm": terms.hwm}
    stand = Stand(order, order.id in order.market.aside, order.trigger is not None, was)
    leave(order)
    order.waits = waits
    order.qty, order.price, order.limit_price, order.terms = shape
    return stand


def _put_back(turn: Turn, market: Market, standing: list[Stand], why: receipts.Facts, key: str) -> None:
    """In order of priority, which is how a restored engine seats them."""
    for stand in standing:
        order = stand.order
        if stand.aside:
            market.aside[order.id] = order
        if stand.armed:
            market.arm(order)
        if order.status != HELD and not stand.aside:
            market.side(buys=order.buys).add(order, order.queue_ahead)
            if order.waits:
                market.waiting[order.id] = order
        _reserve(turn, order)
        waits = order.waits or ("stop" if stand.armed else "parent" if order.status == HELD else "")
        more = {"waits": waits} if waits else {}
        receipt = receipts.order("rested", order, turn.at_ns, why, action=key, was=stand.was, **more)
        turn.change(order, RESTATE, receipt)
    market.waiting = {each.id: each for each in sorted(market.waiting.values(), key=by_priority)}


def _reserve(turn: Turn, order: Order) -> None:
    if order.status == HELD:
        return
    if order.terms is not None and order.terms.basis is not None:  # marks of before mean nothing now
        basis = msgspec.structs.replace(order.terms.basis, mark=order.price, margin_at=order.price)
        order.terms = msgspec.structs.replace(order.terms, basis=basis)
    turn.hold(order)
