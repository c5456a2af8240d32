"""One command being applied: its time, and what it has caused so far.

The one door for each fact of the books: `transfer` moves assets, `reserve` holds them back, `change`
moves an order to its next status. Balances and positions that were touched are told once, at the end.
"""

from __future__ import annotations

from typing import Any, Final

from trading.engine.events import BalanceRow, Event, TransferRow
from trading.engine.markets import Market
from trading.engine.orders import EXEC_TYPE, NEXT_STATUS, TERMINAL, Order
from trading.engine.state import Balance, Position, State

# trading.models.Transfer.Code
GRANT: Final = 1
TRADE_CASH: Final = 2
TRADE_ASSET: Final = 3
FEE: Final = 4
REVERSAL: Final = 5
ADJUST: Final = 6
CORPORATE_ACTION: Final = 7
SETTLEMENT: Final = 8  # shares that a correction finds missing, at its fair price
VARIATION: Final = 20  # the result of a contract, closed or marked to its settlement price
INTEREST: Final = 21
BORROW_FEE: Final = 22
CONVERSION: Final = 23
EXPIRY: Final = 24  # an expired contract leaves the position


class BrokenBooks(Exception):
    """A command would leave a player with less than nothing: the engine is wrong and must stop."""


class Turn:
    """One command at work: what it has changed so far, and what will be told of it."""

    __slots__ = (
        "at_ns", "balances", "clocked", "events", "forced", "links", "marked", "number", "positions",
        "seq", "state",
    )  # fmt: skip

    def __init__(self, state: State, number: int, seq: int, at_ns: int) -> None:
        self.state = state
        self.number = number  # what it touches is stamped with it, and told once
        self.seq = seq
        self.at_ns = at_ns
        self.events: list[Event] = []
        self.balances: list[Balance] = []
        self.positions: list[Position] = []
        self.links: dict[str, Order] | None = None  # changed orders that others are linked to
        self.marked: Market | None = None  # an instrument whose mark has moved, held by margin portfolios
        self.clocked = False  # the world's clock went on, and there are margin calls
        self.forced = 0  # orders that the exchange itself has placed

    def touch(self, balance: Balance) -> None:
        if balance.turn != self.number:
            balance.turn = self.number
            self.balances.append(balance)

    def touch_position(self, position: Position) -> None:
        number, held = self.number, position.held
        if held.turn != number:
            held.turn = number
            self.balances.append(held)
        if position.turn != number:
            position.turn = number
            self.positions.append(position)

    def enter(self, order: Order) -> None:
        """The order is in: from now on it is open, with the priority of this command."""
        order.priority = self.seq
        order.market_day = self.state.market_day
        order.submitted_ns = order.updated_ns = self.at_ns
        self.state.orders[order.id] = order.portfolio.orders[order.id] = order

    def transfer(
        self, code: int, debit: Balance, credit: Balance, amount: int, fill: int = 0, reverses: int = 0
    ) -> None:
        """Move `amount` from debit to credit, both of one asset. Nothing is written for zero."""
        if amount == 0:
            return
        assert amount > 0
        assert debit.asset == credit.asset
        state, number = self.state, self.number
        n = state.transfers_n = state.transfers_n + 1
        debit.posted -= amount
        credit.posted += amount
        if debit.turn != number:
            debit.turn = number
            self.balances.append(debit)
        if credit.turn != number:
            credit.turn = number
            self.balances.append(credit)
        self.events.append(
            TransferRow(n, code, debit.account, credit.account, debit.asset, amount, fill, reverses)
        )

    def reserve_cash(self, order: Order, amount: int) -> None:
        """Hold back exactly `amount` of cash for the order from now on."""
        cash = order.portfolio.cash
        cash.reserved += amount - order.reserved_cash
        order.reserved_cash = amount
        if cash.turn != self.number:
            cash.turn = self.number
            self.balances.append(cash)

    def reserve_qty(self, order: Order, qty: int) -> None:
        """Hold back exactly `qty` of the holding for the order from now on."""
        position = self.state.position(order.portfolio, order.market)
        position.held.reserved += qty - order.reserved_qty
        if order.effect == "close_today":
            position.reserved_today += qty - order.reserved_qty
        order.reserved_qty = qty
        self.touch_position(position)

    def hold(self, order: Order) -> None:
        """Hold back what the order needs as it stands now."""
        if order.opens or order.effect:
            self.reserve_cash(order, order.market.hold_of(order))
        if not order.opens:
            self.reserve_qty(order, order.leaves)

    def change(self, order: Order, event: str, receipt: dict[str, Any], reason: str = "") -> None:
        """What happened to the order. An end releases what it held back."""
        order.status = status = NEXT_STATUS[order.status, event]
        order.version += 1
        order.updated_ns = self.at_ns
        if status in TERMINAL:
            order.reason = reason
            order.closed_ns = self.at_ns
            order.queue_ahead = 0
            order.waits = ""
            if order.reserved_cash:
                self.reserve_cash(order, 0)
            if order.reserved_qty:
                self.reserve_qty(order, 0)
            self.state.forget(order)
        self.events.append(order.row(EXEC_TYPE[event], receipt))
        terms = order.terms
        if terms is not None and terms.is_linked:
            if self.links is None:
                self.links = {}
            self.links[order.id] = order

    def close(self) -> list[Event]:
        """Everything that happened. Raises BrokenBooks rather than let a wrong balance out."""
        events = self.events
        for balance in self.balances:
            account, posted, reserved = balance.account, balance.posted, balance.reserved
            row = BalanceRow(account, balance.asset, posted, reserved, balance.may_owe)
            if account > 0 and not 0 <= reserved <= posted and not balance.is_sound:
                raise BrokenBooks(f"account {account} has {row}")
            events.append(row)
        for position in self.positions:
            held = position.held
            if held.posted - position.bought_today - held.reserved < 0 and not position.is_sound:
                raise BrokenBooks(f"more is promised than held: {position.row()}")
            events.append(position.row())
        return events
