"""What must hold of the books in memory, over everything. Zero tolerance: each command is atomic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from trading.engine.markets import Market
from trading.engine.orders import HELD, NEW, PARTIALLY_FILLED, SUSPENDED, Order
from trading.engine.state import Portfolio, Position, State


class Breach(msgspec.Struct, frozen=True):
    invariant: str  # I2, I4, …: README.md lists them
    subject: str
    facts: dict[str, Any]


def breaches(state: State) -> list[Breach]:
    """Every invariant that does not hold; empty when the books are true."""
    found = [*_system(state)]
    for portfolio in state.portfolios.values():
        found += _portfolio(state, portfolio)
    for market in state.markets.values():
        found += _market(state, market)
    return found


def of_orders(state: State, orders: Iterable[str]) -> Iterator[Breach]:
    """Those of single orders, for the open ones among these: cheap enough to be asserted after each batch."""
    for order_id in orders:
        if order_id in state.orders:
            yield from _order(state.orders[order_id])


def _system(state: State) -> Iterator[Breach]:
    totals: dict[str, int] = {}
    for balance in state.balances.values():
        totals[balance.asset] = totals.get(balance.asset, 0) + balance.posted
        if not balance.is_sound:
            yield Breach("I5", f"{balance.account} {balance.asset}", msgspec.structs.asdict(balance.row()))
    for asset, total in totals.items():
        if total:
            yield Breach("I2", asset, {"sum": total})


def _portfolio(state: State, portfolio: Portfolio) -> Iterator[Breach]:
    cash = 0
    held: dict[str, int] = {}
    for order in portfolio.orders.values():
        yield from _order(order)
        cash += order.reserved_cash
        if order.reserved_qty:
            held[order.market.symbol] = held.get(order.market.symbol, 0) + order.reserved_qty
    if portfolio.cash.reserved != cash:
        yield Breach("I4", f"portfolio {portfolio.id}", {"reserved": portfolio.cash.reserved, "orders": cash})
    for symbol, position in portfolio.positions.items():
        yield from _position(portfolio, position, held.pop(symbol, 0))
    for symbol, offered in held.items():
        yield Breach("I4s", f"portfolio {portfolio.id} {symbol}", {"reserved": 0, "orders": offered})


def _position(portfolio: Portfolio, position: Position, offered: int) -> Iterator[Breach]:
    subject = f"portfolio {portfolio.id} {position.symbol}"
    if position.held.reserved != offered:
        yield Breach("I4s", subject, {"reserved": position.held.reserved, "orders": offered})
    if not position.is_sound or position.bought_today < 0:
        yield Breach("I6t", subject, msgspec.structs.asdict(position.row()))
    if (position.cost < 0 and portfolio.margin is None) or (position.cost and not position.held.posted):
        yield Breach("I6p", subject, msgspec.structs.asdict(position.row()))


def _order(order: Order) -> Iterator[Breach]:
    subject, market = f"order {order.id}", order.market
    whose: dict[str, Any] = {"portfolio": order.portfolio.id}
    held = order.status == HELD  # it reserves nothing yet
    cash = market.hold_of(order) if not held and market.rules is not None else 0
    qty = 0 if order.opens or held else order.leaves
    if (market.rules is not None and order.reserved_cash != cash) or order.reserved_qty != qty:
        facts = {"reserved": order.reserved_cash or order.reserved_qty, "needed": cash or qty}
        yield Breach("I4", subject, whose | facts)
    fits = {
        NEW: order.filled_qty == 0,
        PARTIALLY_FILLED: order.filled_qty > 0,
        SUSPENDED: True,
        HELD: order.filled_qty == 0,
    }.get(order.status, False)
    if not fits or not 0 <= order.filled_qty < order.qty:
        filled = {"qty": order.qty, "filled": order.filled_qty}
        yield Breach("I7", subject, {**whose, "status": order.status, **filled})


def _market(state: State, market: Market) -> Iterator[Breach]:
    booked = [*market.bids.book, *market.asks.book]
    resting = [each for each in booked if not each.waits]
    bids = [each.price for each in resting if each.buys]
    asks = [each.price for each in resting if not each.buys]
    if bids and asks and max(bids) >= min(asks):
        yield Breach("I11", market.symbol, {"bid": max(bids), "ask": min(asks)})
    for order in market.aside.values():
        standing = order.status in (NEW, SUSPENDED)
        standing = standing or (order.status == PARTIALLY_FILLED and order.waits == "after_hours")
        if not standing or (order.waits == "stop") != (order.trigger is not None):
            yield Breach("I13", f"order {order.id}", {"status": order.status, "waits": order.waits})
    for order in booked:
        if state.orders.get(order.id) is not order or (order.id in market.waiting) != bool(order.waits):
            yield Breach("I10", f"order {order.id}", {"waits": order.waits})
        if order.queue_ahead < 0:
            yield Breach("I10", f"order {order.id}", {"queue_ahead": order.queue_ahead})
