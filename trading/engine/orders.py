"""An order in memory, and the table of what may happen to it (FIX OrdStatus and ExecType).

Pending cancel and pending replace are not stored: one writer decides in one step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from trading.engine.events import ExecType, OrderRow, OrderTerms
from trading.engine.line import Line

if TYPE_CHECKING:
    from trading.engine.markets import Market, Trigger
    from trading.engine.state import Portfolio

# Statuses
NOT_YET: Final = ""  # before the engine has decided
NEW: Final = "new"
PARTIALLY_FILLED: Final = "partially_filled"
FILLED: Final = "filled"
CANCELED: Final = "canceled"
REJECTED: Final = "rejected"
EXPIRED: Final = "expired"
SUSPENDED: Final = "suspended"
HELD: Final = "held"  # a leg that waits for its parent or beside its sibling, and reserves nothing

OPEN: Final = frozenset((NEW, PARTIALLY_FILLED, SUSPENDED, HELD))
TERMINAL: Final = frozenset((FILLED, CANCELED, REJECTED, EXPIRED))
STATUSES: Final = (NOT_YET, NEW, PARTIALLY_FILLED, FILLED, CANCELED, REJECTED, EXPIRED, SUSPENDED, HELD)

# What can happen
ACCEPT: Final = "accept"
REJECT: Final = "reject"
FILL_PART: Final = "fill_part"
FILL_REST: Final = "fill_rest"  # the last of it
CANCEL: Final = "cancel"  # the player asked
KILL: Final = "kill"  # what ioc, fok and market orders may not leave behind
STOP_SELF_TRADE: Final = "stop_self_trade"
MASS_CANCEL: Final = "mass_cancel"  # freeze, or rules that no longer allow it
REPLACE: Final = "replace"
REPLACE_TO_FILLED: Final = "replace_to_filled"  # cut down to what is filled already
EXPIRE: Final = "expire"
HALT: Final = "halt"
RESUME: Final = "resume"
RESUME_PART_FILLED: Final = "resume_part_filled"
RESTATE: Final = "restate"  # it took its place when trading began, or new rules changed what it holds
HOLD: Final = "hold"  # a leg comes with its parent
ACTIVATE: Final = "activate"  # its parent was filled
TRIGGER: Final = "trigger"  # the market reached its stop price
CANCEL_LINKED: Final = "cancel_linked"  # an order it is linked to has ended, or taken its place

EVENTS: Final = (
    ACCEPT, REJECT, FILL_PART, FILL_REST, CANCEL, KILL, STOP_SELF_TRADE, MASS_CANCEL,
    REPLACE, REPLACE_TO_FILLED, EXPIRE, HALT, RESUME, RESUME_PART_FILLED, RESTATE,
    HOLD, ACTIVATE, TRIGGER, CANCEL_LINKED,
)  # fmt: skip


class IllegalOrderChange(Exception):
    """Something happened to an order that the table forbids: the engine is wrong and must stop."""


class Table(dict[tuple[str, str], str]):
    """The status after an event, by both. Raises IllegalOrderChange for every pair that is not in it."""

    def __missing__(self, pair: tuple[str, str]) -> str:
        status, event = pair
        raise IllegalOrderChange(f"an order that is {status or 'not decided'!r} cannot {event!r}")


NEXT_STATUS: Final = Table({
    (NOT_YET, ACCEPT): NEW,
    (NOT_YET, REJECT): REJECTED,
    (NEW, FILL_PART): PARTIALLY_FILLED,
    (PARTIALLY_FILLED, FILL_PART): PARTIALLY_FILLED,
    (NEW, FILL_REST): FILLED,
    (PARTIALLY_FILLED, FILL_REST): FILLED,
    (NEW, CANCEL): CANCELED,
    (PARTIALLY_FILLED, CANCEL): CANCELED,
    (SUSPENDED, CANCEL): CANCELED,
    (NEW, KILL): CANCELED,
    (PARTIALLY_FILLED, KILL): CANCELED,
    (NEW, STOP_SELF_TRADE): CANCELED,
    (PARTIALLY_FILLED, STOP_SELF_TRADE): CANCELED,
    (NEW, MASS_CANCEL): CANCELED,
    (PARTIALLY_FILLED, MASS_CANCEL): CANCELED,
    (SUSPENDED, MASS_CANCEL): CANCELED,
    (NEW, REPLACE): NEW,
    (PARTIALLY_FILLED, REPLACE): PARTIALLY_FILLED,
    (PARTIALLY_FILLED, REPLACE_TO_FILLED): FILLED,
    (NEW, EXPIRE): EXPIRED,
    (PARTIALLY_FILLED, EXPIRE): EXPIRED,
    (SUSPENDED, EXPIRE): EXPIRED,
    (NEW, HALT): SUSPENDED,
    (PARTIALLY_FILLED, HALT): SUSPENDED,
    (SUSPENDED, RESUME): NEW,
    (SUSPENDED, RESUME_PART_FILLED): PARTIALLY_FILLED,
    (NEW, RESTATE): NEW,
    (PARTIALLY_FILLED, RESTATE): PARTIALLY_FILLED,
    (SUSPENDED, RESTATE): SUSPENDED,
    (NOT_YET, HOLD): HELD,
    (HELD, ACTIVATE): NEW,
    (HELD, TRIGGER): NEW,
    (NEW, TRIGGER): NEW,
    (HELD, RESTATE): HELD,
    (HELD, REPLACE): HELD,
    (HELD, CANCEL): CANCELED,
    (HELD, MASS_CANCEL): CANCELED,
    (HELD, EXPIRE): EXPIRED,
    (NEW, CANCEL_LINKED): CANCELED,
    (PARTIALLY_FILLED, CANCEL_LINKED): CANCELED,
    (SUSPENDED, CANCEL_LINKED): CANCELED,
    (HELD, CANCEL_LINKED): CANCELED,
})  # fmt: skip

EXEC_TYPE: Final[dict[str, ExecType]] = {
    ACCEPT: "new",
    REJECT: "rejected",
    FILL_PART: "fill",
    FILL_REST: "fill",
    CANCEL: "canceled",
    KILL: "canceled",
    STOP_SELF_TRADE: "canceled",
    MASS_CANCEL: "canceled",
    REPLACE: "replaced",
    REPLACE_TO_FILLED: "replaced",
    EXPIRE: "expired",
    HALT: "suspended",
    RESUME: "restated",
    RESUME_PART_FILLED: "restated",
    RESTATE: "restated",
    HOLD: "held",
    ACTIVATE: "new",
    TRIGGER: "triggered",
    CANCEL_LINKED: "canceled",
}


STOPS: Final = frozenset(("stop", "stop_limit", "trailing_stop"))
HAVE_LIMIT: Final = frozenset(("limit", "stop_limit"))
IMMEDIATE: Final = frozenset(("ioc", "fok"))  # they never rest
AUCTION_ONLY: Final = frozenset(("opg", "cls"))  # they take part in one auction, and in nothing else


class Order:
    """An order the engine knows. `price` is the worst it may trade at: its limit, or its collar."""

    __slots__ = (
        "_came", "_line", "_place",
        "buys", "client_order_id", "closed_ns", "effect", "fees", "filled_cash", "filled_qty", "filled_value",
        "id", "limit_price", "market", "market_day", "opens", "portfolio", "price",
        "priority", "qty", "reason", "reserved_cash", "reserved_qty", "side", "status",
        "submitted_ns", "terms", "time_in_force", "trigger", "type", "updated_ns", "version", "waits",
    )  # fmt: skip

    id: str
    portfolio: Portfolio
    market: Market
    client_order_id: str
    side: str
    buys: bool
    effect: str  # of a margin portfolio's order on the position: open, close, close_today; "" else
    opens: bool  # holds cash against what it may get; else it holds what it gives
    type: str
    time_in_force: str
    qty: int
    limit_price: int | None
    price: int
    status: str
    reason: str
    filled_qty: int
    filled_value: int  # sum of price x qty
    filled_cash: int  # sum of the fills' cash, minor units
    fees: int
    reserved_cash: int
    reserved_qty: int
    priority: int
    version: int
    market_day: int
    submitted_ns: int
    updated_ns: int
    closed_ns: int
    waits: str  # "" or why it cannot match yet: "phase", "quote", "auction", "stop"
    terms: OrderTerms | None
    trigger: Trigger | None  # its armed stop
    _line: Line | None  # at its price, while something may stand before it
    _place: int  # in the line: counted from where that began; else: what stands before it
    _came: int  # as which one

    def __init__(
        self,
        order_id: str,
        portfolio: Portfolio,
        market: Market,
        client_order_id: str,
        side: str,
        kind: str,
        time_in_force: str,
        qty: int,
        limit_price: int | None,
        price: int,
        terms: OrderTerms | None = None,
    ) -> None:
        self.id = order_id
        self.portfolio = portfolio
        self.market = market
        self.client_order_id = client_order_id
        self.side = side
        self.buys = self.opens = side == "buy"
        self.effect = ""
        self.type = kind
        self.time_in_force = time_in_force
        self.qty = qty
        self.limit_price = limit_price
        self.price = price
        self.terms = terms
        if terms is not None and terms.effect:
            self.effect = terms.effect
            self.opens = terms.effect == "open"
        self.status = NOT_YET
        self.reason = self.waits = ""
        self.filled_qty = self.filled_value = self.filled_cash = self.fees = 0
        self.reserved_cash = self.reserved_qty = self.version = self.closed_ns = 0
        self.trigger = None
        self._line = None
        self._place = self._came = 0

    @property
    def leaves(self) -> int:
        return self.qty - self.filled_qty

    @property
    def queue_ahead(self) -> int:
        """Displayed size that still stands before it; see liquidity."""
        return self._place if self._line is None else self._line.ahead(self._place, self._came)

    @queue_ahead.setter
    def queue_ahead(self, size: int) -> None:
        """From now on, whatever happens at its price."""
        self._line = None
        self._place = size

    def stand(self, line: Line, ahead: int) -> None:
        """It comes to the line, behind `ahead`."""
        line.came += 1
        self._line = line
        self._place, self._came = line.used + ahead, line.came

    def row(self, exec_type: ExecType, receipt: dict[str, Any]) -> OrderRow:
        """The order as the tables keep it. What decided it is told with the row, and not kept here."""
        return OrderRow(
            exec_type,
            self.id,
            self.portfolio.id,
            self.market.symbol,
            self.client_order_id,
            self.side,
            self.type,
            self.time_in_force,
            self.qty,
            self.limit_price,
            self.status,
            self.reason,
            self.filled_qty,
            self.filled_value,
            self.filled_cash,
            self.fees,
            self.reserved_cash,
            self.reserved_qty,
            self.queue_ahead,
            self.priority,
            self.version,
            self.market_day,
            self.submitted_ns,
            self.updated_ns,
            self.closed_ns,
            receipt,
            self.terms,
        )


def by_priority(order: Order) -> tuple[int, str]:
    """Whatever touches many orders does so in this order, which a restored engine knows too."""
    return order.priority, order.id
