"""A state from rows, and its hash: what the tables must equal."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from market.rulebook.rules import InstrumentRules
from simgame.kernel import money
from trading.engine.commands import CorporateAction
from trading.engine.events import BalanceRow, OrderRow, PositionRow
from trading.engine.orders import HELD, SUSPENDED, Order
from trading.engine.records import PortfolioState
from trading.engine.state import Action, Balance, Portfolio, State

ASIDE: Final = ("stop", "auction", "after_hours")  # what an order waits for that is in no book


def restore(
    state: State,
    *,
    portfolios: Iterable[PortfolioState],
    balances: Iterable[BalanceRow],
    positions: Iterable[PositionRow],
    orders: Iterable[OrderRow],
    rules: Iterable[InstrumentRules],
    fills_n: int,
    transfers_n: int,
    halted: Iterable[str],
    closed: Iterable[tuple[str, int, str]],
    has_opened: bool,
    actions: Iterable[tuple[CorporateAction, str]] = (),
    undone: Iterable[int] = (),
) -> None:
    """Rebuild an empty state from rows. See `Engine.restore`."""
    assert not state.balances, "restore needs an empty engine"
    state.fills_n, state.transfers_n, state.opened_before = fills_n, transfers_n, has_opened
    state.actions = {command.client_id: Action(command, status) for command, status in actions}
    state.undone = set(undone)
    for rule in rules:
        state.set_rules(rule)
    for row in balances:
        state.balances[row.account, row.asset] = Balance(*msgspec.structs.astuple(row))
    for one in portfolios:
        _restore_portfolio(state, one)
    for row in balances:
        if row.asset in money.CURRENCY_EXPONENT and row.account in state.portfolios:
            state.cash(state.portfolios[row.account], row.asset)
    for position in positions:
        _restore_position(state, position)
    for symbol in halted:
        state.market(symbol).halted = True
        state.market(symbol).halt_reason = halted[symbol] if isinstance(halted, Mapping) else ""
    for order in sorted(orders, key=lambda each: (each.priority, each.id)):
        _restore_order(state, order)
    for order_id, portfolio, status in closed:
        state.closed[order_id] = (portfolio, status)


def _restore_portfolio(state: State, one: PortfolioState) -> None:
    cash = state.balance(one.portfolio, one.currency)
    found = Portfolio(one.portfolio, one.currency, cash, state.rates, one.margin)
    state.portfolios[one.portfolio] = found
    cash.may_owe = one.margin is not None
    found.status, found.reason = one.status, one.reason
    found.call_ns, found.accrued_day = one.call_ns, one.accrued_day
    if one.call_ns:
        state.called[one.portfolio] = found


def _restore_position(state: State, row: PositionRow) -> None:
    portfolio = state.portfolios[row.portfolio]
    position = state.position(portfolio, state.market(row.symbol))
    position.bought_today, position.market_day = row.bought_today, row.market_day
    position.cost, position.realised = row.cost, row.realised
    position.day_start_qty, position.day_cash = row.day_start_qty, row.day_cash
    if portfolio.margin is not None and row.qty:
        position.market.holders[portfolio.id] = portfolio
    if not position.is_at_rest:
        state.traded[row.portfolio, row.symbol] = position


def _restore_order(state: State, row: OrderRow) -> None:
    market = state.market(row.symbol)
    price = row.limit_price if row.limit_price is not None else row.receipt["collar"]
    order = Order(
        row.id, state.portfolios[row.portfolio], market, row.client_order_id, row.side, row.type,
        row.time_in_force, row.qty, row.limit_price, price, row.terms,
    )  # fmt: skip
    # One by one: a hundred thousand open orders must be back within seconds.
    order.status, order.reason, order.version = row.status, row.reason, row.version
    order.filled_qty, order.filled_value, order.filled_cash = (
        row.filled_qty,
        row.filled_value,
        row.filled_cash,
    )
    order.fees, order.reserved_cash, order.reserved_qty = row.fees, row.reserved_cash, row.reserved_qty
    order.queue_ahead, order.priority, order.market_day = row.queue_ahead, row.priority, row.market_day
    order.submitted_ns, order.updated_ns, order.closed_ns = row.submitted_ns, row.updated_ns, row.closed_ns
    waits = row.receipt.get("waits", "")
    order.waits = waits if order.status != HELD else ""
    state.orders[order.id] = order.portfolio.orders[order.id] = order
    if order.effect == "close_today":
        state.position(order.portfolio, market).reserved_today += order.reserved_qty
    state.note_expiry(order)
    if order.status == SUSPENDED:
        market.halted = True
    if order.status == HELD:
        if waits == "stop":
            market.arm(order)
    elif order.waits in ASIDE:
        market.aside[order.id] = order
        if order.waits == "stop":
            market.arm(order)
    else:
        market.side(buys=order.buys).add(order, order.queue_ahead)
        if order.waits:
            market.waiting[order.id] = order


def state_hash(state: State) -> str:
    """SHA-256 over the sorted rows of open orders, balances and positions: what the tables must equal.

    Queues are left out: they shrink with every quote and are stored only with the order's next row. So
    are balances of nothing, which may or may not have a row.
    """
    orders = [
        (o.id, o.portfolio.id, o.market.symbol, o.side, o.type, o.time_in_force, o.qty, o.limit_price,
         o.status, o.reason, o.filled_qty, str(o.filled_value), o.filled_cash, o.fees, o.reserved_cash,
         o.reserved_qty, o.priority, o.version, o.market_day, *((o.terms,) if o.terms else ()))
        for o in state.orders.values()
    ]  # fmt: skip
    balances = [
        (b.account, b.asset, b.posted, b.reserved) for b in state.balances.values() if b.posted or b.reserved
    ]
    positions = [
        msgspec.structs.astuple(p.row())
        for each in state.portfolios.values()
        for p in each.positions.values()
    ]
    rows = [sorted(orders), sorted(balances), sorted(positions)]
    return hashlib.sha256(msgspec.msgpack.encode(rows)).hexdigest()
