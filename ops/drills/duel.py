"""Two engines, the same commands: after each, what the one says is held against what the other says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ops.drills.crowd import Told
from trading.engine.engine import Engine
from trading.engine.events import BalanceRow, Event, FillRow, OrderRow, Refused
from trading.engine.orders import Order
from trading.proof.naive import Resting
from trading.proof.naive_margin import NaiveMargin

FULL_EVERY = 97  # commands between two comparisons of everything that is open


class Differ(Exception):
    """The engines disagree: at which command, and about what."""

    def __init__(self, place: int, command: Any, what: str, number: int = 0):
        super().__init__(place, command, what, number)
        self.place, self.command, self.what, self.number = place, command, what, number

    def __str__(self) -> str:
        return f"command {self.place}, {self.command}:\n  {self.what}"


class Duel:
    def __init__(self) -> None:
        self.engine = Engine(1)
        self.naive = NaiveMargin()
        self.forced: dict[
            str, str
        ] = {}  # ids of orders that the engine itself made → by what the naive one calls them
        self.place = 0
        self.fills = 0

    def run(self, commands: Iterable[Told]) -> int:
        """How many were applied. Raises Differ at the first difference, at the latest after the last."""
        command = None
        for command, seq, at in commands:
            self.place += 1
            try:
                events = self.engine.apply(command, seq, at)
                code = self.naive.apply(command, seq, at)
            except Exception as error:
                raise Differ(self.place, command, f"{type(error).__name__}: {error}") from error
            what = self._compare(events, code)
            if what := what or ("" if self.place % FULL_EVERY else self._compare_all()):
                raise Differ(self.place, command, what)
        if what := self._compare_all():
            raise Differ(self.place, command, what)
        return self.place

    def _compare(self, events: list[Event], code: str) -> str:
        """What the events say and the naive engine does not; empty when they agree."""
        naive = self.naive
        fills, orders, balances, refused = [], {}, [], ""
        for event in events:
            kind = type(event)
            if kind is OrderRow:
                orders[self._name(event)] = event
            elif kind is FillRow:
                fills.append(
                    (
                        self.forced.get(event.order_id, event.order_id),
                        event.price,
                        event.qty,
                        event.cash,
                        event.fee,
                    )
                )
            elif kind is BalanceRow:
                balances.append(event)
            elif kind is Refused:
                refused = event.code
        self.fills += len(fills)
        if refused != code:
            return f"refused: engine {refused!r}, naive {code!r}"
        if fills != naive.fills:
            return f"fills: engine {fills}, naive {naive.fills}"
        if orders.keys() != naive.touched.keys():
            return f"orders: engine {sorted(orders)}, naive {sorted(naive.touched)}"
        for key, row in orders.items():
            live = self.engine.state.orders.get(row.id)  # its queue may be shorter since its row
            ahead = live.queue_ahead if live else row.queue_ahead
            if what := _differ(_row(row, ahead), _plain(naive, naive.touched[key])):
                return f"order {key}: {what}"
        return next(filter(None, map(self._balance, balances)), "")

    def _name(self, row: OrderRow) -> str:
        if row.client_order_id.startswith("forced "):
            self.forced[row.id] = row.client_order_id
        return self.forced.get(row.id, row.id)

    def _balance(self, row: BalanceRow) -> str:
        if row.account < 0:
            return ""
        found, engine = self.naive.told(row.account, row.asset), (row.posted, row.reserved)
        where = f"balance {row.account}, {row.asset}"
        return "" if engine == found else f"{where}: engine {engine}, naive {found}"

    def _compare_all(self) -> str:
        state, naive = self.engine.state, self.naive
        if broken := self.engine.breaches():
            return str(broken[0])
        if state.orders.keys() != naive.orders.keys():
            return f"open: engine {sorted(state.orders)}, naive {sorted(naive.orders)}"
        for key, order in state.orders.items():
            if what := _differ(_order(order), _plain(naive, naive.orders[key])):
                return f"order {key}: {what}"
        return ""


NAMES = (
    "status",
    "reason",
    "qty",
    "limit",
    "filled",
    "cash",
    "fees",
    "priority",
    "reserved",
    "ahead",
    "stop",
)
Facts = tuple[Any, ...]


def _row(row: OrderRow, ahead: int) -> Facts:
    terms = row.terms
    return (
        row.status, row.reason, row.qty, row.limit_price, row.filled_qty, row.filled_cash, row.fees,
        row.priority, (row.reserved_cash, row.reserved_qty), ahead,
        terms.stop_price if terms else None,
    )  # fmt: skip


def _order(o: Order) -> Facts:
    return (
        o.status, o.reason, o.qty, o.limit_price, o.filled_qty, o.filled_cash, o.fees, o.priority,
        (o.reserved_cash, o.reserved_qty), o.queue_ahead, o.terms.stop_price if o.terms else None,
    )  # fmt: skip


def _plain(naive: NaiveMargin, o: Resting) -> Facts:
    return (
        o.status, o.reason, o.qty, o.limit, o.filled, o.cash, o.fees, o.seq, naive.reserve(o),
        o.ahead, o.stop,
    )  # fmt: skip


def _differ(engine: Facts, naive: Facts) -> str:
    if engine == naive:
        return ""
    pairs = zip(NAMES, engine, naive, strict=True)
    return ", ".join(f"{name}: engine {a!r}, naive {b!r}" for name, a, b in pairs if a != b)


def differs(told: list[Told]) -> bool:
    try:
        Duel().run(told)
    except Differ:
        return True
    return False


def shortest(told: list[Told], begun: int, fails: Callable[[list[Told]], bool] = differs) -> list[Told]:
    """The failing sequence without what it does not need to fail: pieces are left out while it still does.

    The first `begun`, the opening, stay.
    """
    first, told = told[:begun], told[begun:]
    size = max(len(told) // 2, 1)
    while size:
        place = 0
        while place < len(told):
            rest = told[:place] + told[place + size :]
            if fails(first + rest):
                told = rest
            else:
                place += size
        size //= 2
    return first + told
