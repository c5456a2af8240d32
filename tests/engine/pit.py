"""A trading pit for stories: people with portfolios, a market that shows what a test tells it to.

Prices are in cents, quantities in shares. After every command the books are audited.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import msgspec

from market.rulebook.rules import FeeRule, InstrumentRules
from market.ticks import PhaseTick, Print, Quote, Reference
from tests.engine.audit import Audit
from trading.engine.commands import (
    Adjust,
    CancelAll,
    CancelOrder,
    ClosePosition,
    Freeze,
    Halt,
    MarginTerms,
    NewOrder,
    NewOrderWithTerms,
    OpenPortfolio,
    ReplaceOrder,
    ReplaceWithTerms,
    SetRules,
    Terms,
)
from trading.engine.engine import Engine
from trading.engine.events import Event, FillRow, OrderRow, Refused

ALICE, BOB, CAROL = 1, 2, 3
DAY = 20261102
NS = 1_000_000_000
START = 1_000 * NS
RICH = 1_000_000_00

PLAIN = InstrumentRules(
    symbol="NLB",
    asset="NLB",
    currency="CNY",
    cash_exponent=2,
    price_exponent=2,
    qty_exponent=0,
    multiplier=1,
    tick=1,
    lot=1,
    least_qty=1,
    odd_lot_sell=False,
    qty_max=1_000_000,
    band_ppb=0,
    cage_ppb=0,
    cage_ticks=0,
    lock_days=0,
    fees=(),
    rows={},
)

# The main board on 2026-11-02, as a reader can look it up: 10 % band, 2 % cage or ten ticks, T+1,
# commission 0.025 % and at least 5.00, transfer 0.001 %, stamp 0.05 % of sells.
A_SHARE = msgspec.structs.replace(
    PLAIN,
    lot=100,
    least_qty=100,
    odd_lot_sell=True,
    band_ppb=100_000_000,
    cage_ppb=20_000_000,
    cage_ticks=10,
    lock_days=1,
    fees=(
        FeeRule("commission", "both", 250_000, 5_00, "fee.commission"),
        FeeRule("transfer", "both", 10_000, 0, "fee.transfer"),
        FeeRule("stamp", "sell", 500_000, 0, "fee.stamp"),
    ),
    rows={
        "band": "band.main",
        "cage": "cage.main",
        "lot": "lot.main",
        "lock": "lock.main",
        "tick": "tick.main",
    },
)

STAR = msgspec.structs.replace(A_SHARE, lot=1, least_qty=200)


class Pit:
    def __init__(self, rules: InstrumentRules = PLAIN, *, phase: str = "continuous", previous_close: int = 0):
        self.engine = Engine(1)
        self.audit = Audit()
        self.seq = 0
        self.at_ns = START
        self.commands: list[tuple[Any, int, int]] = []
        self.events: list[Event] = []
        self.orders = 0
        self.symbol = rules.symbol
        self.do(SetRules(rules))
        self.phase(phase)
        if previous_close:
            self.reference(previous_close)

    def do(self, command: Any) -> list[Event]:
        self.seq += 1
        self.commands.append((command, self.seq, self.at_ns))
        events = self.engine.apply(command, self.seq, self.at_ns)
        self.events += events
        self.audit.follow(events)
        broken = [*self.engine.breaches(), *self.audit.breaches(self.engine)]
        assert not broken, broken[0]
        return events

    # people -------------------------------------------------------------------------------------
    def open(
        self,
        who: int,
        cash: int = RICH,
        *,
        holding: int = 0,
        currency: str = "CNY",
        margin: MarginTerms | None = None,
    ) -> None:
        self.do(OpenPortfolio(who, currency, cash, f"open{who}", margin))
        if holding:
            self.give(who, holding)

    def give(self, who: int, amount: int, asset: str = "NLB") -> list[Event]:
        return self.do(Adjust(who, asset, amount, "a story needs it", f"a{self.seq}"))

    def order(
        self, who: int, side: str, qty: int, price: int | None = None, tif: str = "day", **more: Any
    ) -> OrderRow:
        self.orders += 1
        order_id = more.pop("order_id", f"o{self.orders}")
        kind = "market" if price is None else "limit"
        asked = NewOrder(who, order_id, f"c-{order_id}", self.symbol, side, kind, tif, qty, price, 0)
        self.do(msgspec.structs.replace(asked, **more))
        return self.row(order_id)

    def buy(self, who: int, qty: int, price: int | None = None, tif: str = "day", **more: Any) -> OrderRow:
        return self.order(who, "buy", qty, price, tif, **more)

    def sell(self, who: int, qty: int, price: int | None = None, tif: str = "day", **more: Any) -> OrderRow:
        return self.order(who, "sell", qty, price, tif, **more)

    def ask(
        self,
        who: int,
        side: str,
        qty: int,
        price: int | None = None,
        tif: str = "day",
        *,
        kind: str = "",
        order_id: str = "",
        **terms: Any,
    ) -> OrderRow | None:
        """An order with terms (commands.Terms); None when no order was made of it."""
        self.orders += 1
        order_id = order_id or f"o{self.orders}"
        kind = kind or ("market" if price is None else "limit")
        plain = (who, order_id, f"c-{order_id}", self.symbol, side, kind, tif, qty, price, 0)
        self.do(NewOrderWithTerms(*plain, terms=Terms(**terms)))
        return self.audit.orders.get(order_id)

    def close_position(self, who: int, **what: Any) -> OrderRow | None:
        self.orders += 1
        order_id = f"o{self.orders}"
        self.do(ClosePosition(who, order_id, f"c-{order_id}", self.symbol, 0, **what))
        return self.audit.orders.get(order_id)

    def change_terms(self, who: int, order_id: str, **changes: Any) -> list[Event]:
        return self.do(ReplaceWithTerms(who, order_id, "x", 0, **changes))

    def cancel(self, who: int, order_id: str, *, if_version: int = 0) -> list[Event]:
        return self.do(CancelOrder(who, order_id, "x", 0, if_version))

    def cancel_all(self, who: int, symbol: str = "") -> list[Event]:
        return self.do(CancelAll(who, "x", 0, symbol))

    def replace(self, who: int, order_id: str, **changes: Any) -> list[Event]:
        return self.do(ReplaceOrder(who, order_id, "x", 0, **changes))

    def freeze(self, who: int, frozen: bool = True) -> list[Event]:
        return self.do(Freeze(who, frozen, "", "x"))

    # the market ---------------------------------------------------------------------------------
    def quote(self, bids: tuple = (), asks: tuple = (), **more: Any) -> list[Event]:
        return self.do(
            Quote(self.symbol, bids, asks, self.at_ns, self.at_ns, "sim", seq=self.seq + 1, **more)
        )

    def trade(self, price: int, size: int, side: str = "") -> list[Event]:
        return self.do(Print(self.symbol, price, size, side, self.at_ns, self.at_ns, "sim", seq=self.seq + 1))

    def phase(self, phase: str, *, day: int = DAY, paused: bool = False) -> list[Event]:
        return self.do(PhaseTick(day, phase, "", 0, self.at_ns, self.at_ns, paused=paused))

    def reference(
        self, previous_close: int, low: int = 0, high: int = 0, *, day: int = DAY, settlement: int = 0
    ) -> list[Event]:
        at = self.at_ns
        return self.do(
            Reference(self.symbol, day, previous_close, low, high, at, at, "sim", settlement=settlement)
        )

    def halt(self, halted: bool = True) -> list[Event]:
        return self.do(Halt(self.symbol, halted, "", "x"))

    def rules(self, **changes: Any) -> list[Event]:
        rules = self.engine.state.markets[self.symbol].rules
        return self.do(SetRules(msgspec.structs.replace(rules, **changes)))

    def wait(self, seconds: int) -> None:
        self.at_ns += seconds * NS

    # what came of it ----------------------------------------------------------------------------
    def row(self, order_id: str) -> OrderRow:
        return self.audit.orders[order_id]

    def cash(self, who: int) -> int:
        return self.engine.state.portfolios[who].cash.posted

    def free(self, who: int) -> int:
        return self.engine.state.portfolios[who].cash.available

    def held(self, who: int) -> int:
        position = self.engine.state.portfolios[who].positions.get(self.symbol)
        return position.held.posted if position else 0

    def position(self, who: int) -> Any:
        return self.engine.state.portfolios[who].positions[self.symbol]


def fills(events: list[Event]) -> list[tuple[int, int]]:
    """(price, qty) of each fill."""
    return [(event.price, event.qty) for event in events if isinstance(event, FillRow)]


def codes(events: list[Event]) -> list[str]:
    return [event.code for event in events if isinstance(event, Refused)]


def statuses(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.id, event.status) for event in events if isinstance(event, OrderRow)]


def stand(pit: Pit, *order_ids: str) -> list[tuple[str, int, int]]:
    """(status, quantity, filled) of each order."""
    return [(row.status, row.qty, row.filled_qty) for row in map(pit.row, order_ids)]


def queue(pit: Pit, order_id: str) -> int:
    return pit.engine.state.orders[order_id].queue_ahead


def after(day: int) -> int:
    """The next calendar day."""
    following = date(day // 10_000, day // 100 % 100, day % 100) + timedelta(days=1)
    return int(f"{following:%Y%m%d}")
