"""What the engine holds in memory: portfolios, balances, positions, open orders, markets.

Everything that rows of the database can rebuild comes back by `State.restore`; quotes, prints,
references, rules and the phase arrive again from the feed and the rulebook.
"""

from __future__ import annotations

import heapq
from itertools import islice
from typing import Final, Literal, NamedTuple

from market.rulebook.rules import InstrumentRules
from trading.engine import accounts
from trading.engine.commands import CorporateAction, MarginTerms
from trading.engine.events import BalanceRow, PortfolioRow, PositionRow
from trading.engine.markets import Market
from trading.engine.orders import Order, by_priority
from trading.engine.rates import Rates

CLOSED_KEPT_MIN: Final = 100_000  # ids of ended orders kept, to tell "too late" from "unknown"
CLOSED_FORGOTTEN: Final = 10_000  # so many at once: one by one, a dictionary is slow at its front


class Balance:
    __slots__ = ("account", "asset", "may_owe", "posted", "reserved", "turn")

    def __init__(
        self, account: int, asset: str, posted: int = 0, reserved: int = 0, may_owe: bool = False
    ) -> None:
        self.account = account
        self.asset = asset
        self.posted = posted
        self.reserved = reserved
        self.may_owe = may_owe  # a margin portfolio's: it may be less than nothing
        self.turn = 0  # the last turn that touched it

    @property
    def available(self) -> int:
        return self.posted - self.reserved

    def row(self) -> BalanceRow:
        return BalanceRow(self.account, self.asset, self.posted, self.reserved, self.may_owe)

    @property
    def is_sound(self) -> bool:
        """No player holds less than nothing or promises more than there is, save who may owe."""
        return self.account < 0 or (self.reserved >= 0 and (self.may_owe or self.reserved <= self.posted))


class Position:
    """A holding. Its quantity and what open sells reserve are the ledger balance's, `held`."""

    __slots__ = (
        "bought_today", "cost", "day_cash", "day_start_qty", "held", "market", "market_day", "portfolio",
        "realised", "reserved_today", "symbol", "turn",
    )  # fmt: skip

    def __init__(self, portfolio: int, market: Market, held: Balance, market_day: int) -> None:
        self.portfolio = portfolio
        self.symbol = market.symbol
        self.market = market
        self.held = held
        self.market_day = market_day
        self.bought_today = 0
        self.cost = 0
        self.realised = 0
        self.day_start_qty = 0
        self.day_cash = 0
        self.reserved_today = 0  # of `held.reserved`: by orders that close today's lots
        self.turn = 0

    @property
    def is_contract(self) -> bool:
        return self.market.rules is not None and self.market.rules.is_contract

    def closable(self, effect: str) -> int:
        """How much of a margin portfolio's position an order of this effect may close now."""
        held = self.held
        size = abs(held.posted)
        if self.market.parts_today:
            if effect == "close_today":
                return self.bought_today - self.reserved_today
            return size - self.bought_today - (held.reserved - self.reserved_today)
        if self.is_contract or held.posted < 0:
            return size - held.reserved
        return self.sellable

    @property
    def is_sound(self) -> bool:
        """Nothing is promised twice."""
        if not self.held.may_owe:
            return self.sellable >= 0
        size = abs(self.held.posted)
        return self.held.reserved <= size and self.bought_today <= size

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
    __slots__ = (
        "accrued_day", "call_ns", "cash", "cashes", "currency", "id", "margin", "orders", "positions",
        "rates", "reason", "status",
    )  # fmt: skip

    def __init__(
        self, number: int, currency: str, cash: Balance, rates: Rates, margin: MarginTerms | None = None
    ) -> None:
        self.id = number
        self.currency = currency
        self.cash = cash
        self.cashes = {currency: cash}  # by currency, the home one among them
        self.rates = rates
        self.margin = margin  # None: a cash portfolio
        self.call_ns = 0  # world time until which a margin call must be met; 0: there is none
        self.accrued_day = 0  # market day up to which interest and borrow fees are paid
        self.status = "active"
        self.reason = ""
        self.orders: dict[str, Order] = {}  # open ones
        self.positions: dict[str, Position] = {}

    def row(self) -> PortfolioRow:
        status: Literal["active", "frozen"] = "frozen" if self.status == "frozen" else "active"
        return PortfolioRow(self.id, status, self.reason, self.call_ns, self.accrued_day)


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


class House(dict[tuple[int, str], Balance]):
    """A world's own balances by code (accounts.py) and asset; they begin where they are first asked for."""

    def __init__(self, state: State) -> None:
        self._state = state

    def __missing__(self, key: tuple[int, str]) -> Balance:
        code, asset = key
        account = accounts.system_account(self._state.world_number, code)
        found = self[key] = self._state.balance(account, asset)
        return found


class State:
    __slots__ = (
        "_expiries", "actions", "balances", "called", "clock", "closed", "fills_n", "house", "market_day",
        "markets", "opened_before", "orders", "portfolios", "rates", "traded", "transfers_n", "turns",
        "undone", "world_ns", "world_number",
    )  # fmt: skip

    def __init__(self, world_number: int) -> None:
        self.world_number = world_number
        self.portfolios: dict[int, Portfolio] = {}
        self.called: dict[int, Portfolio] = {}  # those with a margin call
        self.rates = Rates()
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
        self.house = House(self)

    def system(self, code: int, asset: str) -> Balance:
        return self.house[code, asset]

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
            held.may_owe = portfolio.margin is not None
            found = portfolio.positions[market.symbol] = Position(portfolio.id, market, held, self.market_day)
        return found

    def cash(self, portfolio: Portfolio, currency: str) -> Balance:
        """The portfolio's cash in a currency; in another than its own only margin portfolios have any."""
        found = portfolio.cashes.get(currency)
        if found is None:
            found = portfolio.cashes[currency] = self.balance(portfolio.id, currency)
            found.may_owe = portfolio.margin is not None
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

    def set_rules(self, rules: InstrumentRules) -> None:
        market = self.market(rules.symbol)
        market.set_rules(rules)
        self.rates.note(market)

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
        order_id, portfolio, closed = order.id, order.portfolio, self.closed
        del self.orders[order_id]
        del portfolio.orders[order_id]
        closed[order_id] = (portfolio.id, order.status)
        if len(closed) >= CLOSED_KEPT_MIN + CLOSED_FORGOTTEN:
            self._forget_ends()

    def note_end(self, order_id: str, portfolio: int, status: str) -> None:
        """So that a late cancel hears that it is late."""
        self.closed[order_id] = (portfolio, status)
        if len(self.closed) >= CLOSED_KEPT_MIN + CLOSED_FORGOTTEN:
            self._forget_ends()

    def _forget_ends(self) -> None:
        for oldest in list(islice(self.closed, CLOSED_FORGOTTEN)):
            del self.closed[oldest]
