"""What the engine holds in memory: portfolios, balances, positions, open orders, markets.

Everything that rows of the database can rebuild comes back by `State.restore`; quotes, prints,
references, rules and the phase arrive again from the feed and the rulebook.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from market.rulebook.rules import InstrumentRules
from trading.engine import accounts
from trading.engine.commands import CorporateAction
from trading.engine.events import BalanceRow, OrderRow, PositionRow
from trading.engine.markets import Market
from trading.engine.orders import HELD, SUSPENDED, Order, by_priority

ASIDE: Final = ("stop", "auction", "after_hours")  # what an order waits for that is in no book
CLOSED_KEPT_MAX: Final = 100_000  # ids of ended orders kept, to tell "too late" from "unknown"


class Balance:
    __slots__ = ("account", "asset", "posted", "reserved", "turn")

    def __init__(self, account: int, asset: str, posted: int = 0, reserved: int = 0) -> None:
        self.account = account
        self.asset = asset
        self.posted = posted
        self.reserved = reserved
        self.turn = 0  # the last turn that touched it

    @property
    def available(self) -> int:
        return self.posted - self.reserved

    def row(self) -> BalanceRow:
        return BalanceRow(self.account, self.asset, self.posted, self.reserved)


class Position:
    """A holding. Its quantity and what open sells reserve are the ledger balance's, `held`."""

    __slots__ = (
        "bought_today", "cost", "day_cash", "day_start_qty", "held", "market_day", "portfolio", "realised",
        "symbol", "turn",
    )  # fmt: skip

    def __init__(self, portfolio: int, symbol: str, held: Balance, market_day: int) -> None:
        self.portfolio = portfolio
        self.symbol = symbol
        self.held = held
        self.market_day = market_day
        self.bought_today = 0
        self.cost = 0
        self.realised = 0
        self.day_start_qty = 0
        self.day_cash = 0
        self.turn = 0

    @property
    def sellable(self) -> int:
        return self.held.posted - self.bought_today - self.held.reserved

    @property
    def is_at_rest(self) -> bool:
        """Whether its day figures are those of a day on which nothing happened, whichever day it is."""
        return not self.bought_today and not self.day_cash and self.day_start_qty == self.held.posted

    def row(self) -> PositionRow:
        return PositionRow(
            self.portfolio,
            self.symbol,
            self.held.posted,
            self.held.reserved,
            self.bought_today,
            self.market_day,
            self.cost,
            self.realised,
            self.day_start_qty,
            self.day_cash,
        )


class Portfolio:
    __slots__ = ("cash", "currency", "id", "orders", "positions", "reason", "status")

    def __init__(self, number: int, currency: str, cash: Balance) -> None:
        self.id = number
        self.currency = currency
        self.cash = cash
        self.status = "active"
        self.reason = ""
        self.orders: dict[str, Order] = {}  # open ones
        self.positions: dict[str, Position] = {}


class Action:
    """A corporate action that was applied, and where it stands (events.ActionRow)."""

    __slots__ = ("command", "status")

    def __init__(self, command: CorporateAction, status: str) -> None:
        self.command = command
        self.status = status


class Clock(NamedTuple):
    """The venue's phase, as its ticks told it last."""

    phase: str = ""
    span: str = ""
    paused: bool = False


class State:
    __slots__ = (
        "_expiries", "_system", "actions", "balances", "clock", "closed", "fills_n", "market_day",
        "markets", "opened_before", "orders", "portfolios", "traded", "transfers_n", "turns", "undone",
        "world_ns", "world_number",
    )  # fmt: skip

    def __init__(self, world_number: int) -> None:
        self.world_number = world_number
        self.portfolios: dict[int, Portfolio] = {}
        self.balances: dict[tuple[int, str], Balance] = {}
        self.orders: dict[str, Order] = {}  # open ones
        self.closed: dict[str, tuple[int, str]] = {}  # ended ones: portfolio and status
        self.markets: dict[str, Market] = {}
        self.traded: dict[tuple[int, str], Position] = {}  # positions whose day figures must be rolled
        self.clock = Clock()
        self.actions: dict[str, Action] = {}  # corporate actions that were applied, by key
        self.undone: set[int] = set()  # transfers that were taken back
        self.market_day = 0
        self.fills_n = 0
        self.transfers_n = 0
        self.turns = 0
        self.world_ns = 0  # the world's clock, as its ticks told it last
        self.opened_before = False  # restored: continuous trading had begun on this market day
        self._expiries: list[tuple[int, str]] = []  # heap: world time, id of a gtd order
        self._system: dict[tuple[int, str], Balance] = {}  # the world's own, by code and asset

    def system(self, code: int, asset: str) -> Balance:
        found = self._system.get((code, asset))
        if found is None:
            found = self.balance(accounts.system_account(self.world_number, code), asset)
            self._system[code, asset] = found
        return found

    def balance(self, account: int, asset: str) -> Balance:
        key = (account, asset)
        found = self.balances.get(key)
        if found is None:
            found = self.balances[key] = Balance(account, asset)
        return found

    def position(self, portfolio: Portfolio, market: Market) -> Position:
        found = portfolio.positions.get(market.symbol)
        if found is None:
            asset = market.rules.asset if market.rules else market.symbol
            held = self.balance(portfolio.id, asset)
            found = portfolio.positions[market.symbol] = Position(
                portfolio.id, market.symbol, held, self.market_day
            )
        return found

    def market(self, symbol: str) -> Market:
        found = self.markets.get(symbol)
        if found is None:
            found = self.markets[symbol] = Market(symbol)
            found.has_opened = self.opened_before
            self.tell_phase(found)
        return found

    @property
    def has_opened(self) -> bool:
        """Continuous trading has begun somewhere on this market day."""
        return self.opened_before or any(market.has_opened for market in self.markets.values())

    def tell_phase(self, market: Market) -> None:
        """The venue's clock, as it is told to one of its markets."""
        clock = self.clock
        if clock.phase:
            market.set_phase(market.phase_at(clock.phase, clock.span), paused=clock.paused)

    def can_match(self, market: Market, at_ns: int) -> bool:
        """No fill when the phase forbids it, the instrument is halted, or its quote is not fresh."""
        return market.permit.match and not market.halted and at_ns <= market.fresh_until_ns

    def note_expiry(self, order: Order) -> None:
        if order.terms is not None and order.terms.expire_ns:
            heapq.heappush(self._expiries, (order.terms.expire_ns, order.id))

    def expired(self) -> list[Order]:
        """The gtd orders whose time has come, first the one that came first. Each is told once."""
        due: dict[str, Order] = {}
        while self._expiries and self._expiries[0][0] <= self.world_ns:
            _, order_id = heapq.heappop(self._expiries)
            order = self.orders.get(order_id)
            if order and order.terms and 0 < order.terms.expire_ns <= self.world_ns:
                due[order_id] = order
        return sorted(due.values(), key=by_priority)

    def forget(self, order: Order) -> None:
        """The order has ended: it leaves the open ones, and only its end is remembered."""
        del self.orders[order.id]
        del order.portfolio.orders[order.id]
        self.closed[order.id] = (order.portfolio.id, order.status)
        if len(self.closed) > CLOSED_KEPT_MAX:
            del self.closed[next(iter(self.closed))]


class PortfolioState(msgspec.Struct, frozen=True, gc=False):
    """What must be known of a portfolio to restore it; its money comes with the balances."""

    portfolio: int
    currency: str
    status: str = "active"
    reason: str = ""


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
        state.market(rule.symbol).set_rules(rule)
    for row in balances:
        state.balances[row.account, row.asset] = Balance(row.account, row.asset, row.posted, row.reserved)
    for one in portfolios:
        cash = state.balance(one.portfolio, one.currency)
        state.portfolios[one.portfolio] = found = Portfolio(one.portfolio, one.currency, cash)
        found.status, found.reason = one.status, one.reason
    for position in positions:
        _restore_position(state, position)
    for symbol in halted:
        state.market(symbol).halted = True
    for order in sorted(orders, key=lambda each: (each.priority, each.id)):
        _restore_order(state, order)
    for order_id, portfolio, status in closed:
        state.closed[order_id] = (portfolio, status)


def _restore_position(state: State, row: PositionRow) -> None:
    portfolio = state.portfolios[row.portfolio]
    position = state.position(portfolio, state.market(row.symbol))
    position.bought_today, position.market_day = row.bought_today, row.market_day
    position.cost, position.realised = row.cost, row.realised
    position.day_start_qty, position.day_cash = row.day_start_qty, row.day_cash
    if not position.is_at_rest:
        state.traded[row.portfolio, row.symbol] = position


def _restore_order(state: State, row: OrderRow) -> None:
    market = state.market(row.symbol)
    price = row.limit_price if row.limit_price is not None else row.receipt["collar"]
    order = Order(
        row.id, state.portfolios[row.portfolio], market, row.client_order_id, row.side, row.type,
        row.time_in_force, row.qty, row.limit_price, price, row.terms,
    )  # fmt: skip
    for name in ("status", "reason", "filled_qty", "filled_value", "filled_cash", "fees", "reserved_cash",
                 "reserved_qty", "queue_ahead", "priority", "version", "market_day", "submitted_ns",
                 "updated_ns", "closed_ns"):  # fmt: skip
        setattr(order, name, getattr(row, name))
    order.waits = row.receipt.get("waits", "") if order.status != HELD else ""
    state.orders[order.id] = order.portfolio.orders[order.id] = order
    state.note_expiry(order)
    if order.status == SUSPENDED:
        market.halted = True
    if order.status == HELD:
        if row.receipt.get("waits") == "stop":
            market.arm(order)
    elif order.waits in ASIDE:
        market.aside[order.id] = order
        if order.waits == "stop":
            market.arm(order)
    else:
        market.side(buys=order.buys).book.add(order)
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
