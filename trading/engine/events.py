"""What the engine answers: whole rows, ready for the tables and for the wire.

`apply` returns them in the order they happened. A row that changes twice in one command appears
twice; the last one counts. Numbers are scaled integers.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

ExecType = Literal[
    "new", "fill", "canceled", "replaced", "rejected", "expired", "suspended", "restated", "held", "triggered"
]
LegName = Literal["", "take_profit", "stop_loss"]


class Basis(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What the hold of a margin portfolio's order is computed from, as it was when it was reserved."""

    mark: int  # what the instrument was worth: a worse price of a fill is held back in full
    margin_at: int  # the price that margin is asked of: the mark, for contracts the last settlement price
    rate_ppb: int  # home minor units for one of the instrument's currency


class OrderTerms(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Where an order stands that asks for more than price and quantity (commands.Terms)."""

    stop_price: int | None = None  # now: that of a trailing stop moves
    trail_price: int | None = None
    trail_ppb: int | None = None
    hwm: int | None = None  # the best price of the market since a trailing stop began
    fired_by: Literal["print", "quote"] = "print"
    triggered: bool = False
    expire_ns: int = 0
    post_only: bool = False
    reduce_only: bool = False
    notional: int | None = None
    order_class: str = "simple"
    legs: tuple[str, ...] = ()  # ids of the orders that wait for this one
    parent: str = ""  # id of the order that this leg waits for
    leg: LegName = ""
    sibling: str = ""  # id of the other leg: where one is done, so is the other
    effect: Literal["", "open", "close", "close_today"] = ""  # on the position; "": a cash portfolio's
    basis: Basis | None = None  # margin portfolios' orders have one
    forced: str = ""  # why the exchange itself placed it, in words

    @property
    def made_by(self) -> str:
        """The id of the order that this one came with as a leg; "" when it came by itself."""
        return self.parent or (self.sibling if self.leg == "stop_loss" else "")

    @property
    def with_it(self) -> tuple[str, ...]:
        """The ids of the orders that came with this one as its legs."""
        return self.legs or ((self.sibling,) if self.sibling and not self.made_by else ())

    @property
    def is_linked(self) -> bool:
        return bool(self.legs or self.parent or self.sibling)

    @property
    def is_stop(self) -> bool:
        """Whether it still waits for its stop price."""
        return self.stop_price is not None and not self.triggered


class OrderRow(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag_field="event", tag="order"):
    """The whole order after `exec_type` happened to it. Mirrors trading.models.Order."""

    exec_type: ExecType
    id: str
    portfolio: int
    symbol: str
    client_order_id: str
    side: str
    type: str
    time_in_force: str
    qty: int
    limit_price: int | None
    status: str
    reason: str
    filled_qty: int
    filled_value: int
    filled_cash: int
    fees: int
    reserved_cash: int
    reserved_qty: int
    queue_ahead: int
    priority: int
    version: int
    market_day: int
    submitted_ns: int
    updated_ns: int
    closed_ns: int  # 0 while open
    receipt: dict[str, Any]
    terms: OrderTerms | None = None  # None: it asked for no more than price and quantity


class FillRow(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="fill"):
    n: int  # dense per world from 1; the row's key is world_key(world, n)
    match: int  # n of the match's first row
    order_id: str
    portfolio: int
    symbol: str
    side: str
    price: int
    qty: int
    cash: int
    fees: tuple[tuple[str, int], ...]
    fee: int
    against: Literal["market", "player"]
    market_day: int
    at_ns: int
    receipt: dict[str, Any]
    reverses: int = 0  # n of the fill it takes back (ExecType H): such rows leave the order's sums alone


class TransferRow(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="transfer"):
    n: int  # dense per world from 1
    code: int  # trading.models.Transfer.Code
    debit: int
    credit: int
    asset: str
    amount: int
    fill: int = 0  # n of the fill, 0 when there is none
    reverses: int = 0  # n of the transfer it reverses


class BalanceRow(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="balance"):
    account: int  # the portfolio's id, or a system account (negative)
    asset: str
    posted: int
    reserved: int
    may_owe: bool = False  # of a margin portfolio: it may be less than nothing


class PositionRow(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="position"):
    portfolio: int
    symbol: str
    qty: int
    reserved: int  # by open sells
    bought_today: int
    market_day: int
    cost: int
    realised: int
    day_start_qty: int
    day_cash: int


class PortfolioRow(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="portfolio"):
    portfolio: int
    status: Literal["active", "frozen"]
    reason: str = ""
    call_ns: int = 0  # world time until which a margin call must be met; 0: there is none
    accrued_day: int = 0  # market day up to which interest and borrow fees are paid; 0: cash portfolio


class Notice(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="notice"):
    """Something a player should be told that no row says (a halt, a freeze, a repair)."""

    portfolio: int
    code: str
    text: str
    facts: dict[str, Any]


class ActionRow(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="action"):
    """Where a corporate action stands: `open` waits for its pay date or the last day of its rights."""

    key: str
    symbol: str
    status: Literal["open", "applied", "reversed"]
    tradable: bool | None = None  # rename, delisting: whether orders in `symbol` are taken from now on


class ActionEntryRow(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="action_entry"):
    """What one step of an action changed in one position. Append-only: it is what a reversal undoes."""

    key: str
    step: Literal["ex", "settle", "exercise", "reverse"]
    portfolio: int
    symbol: str
    qty: int
    cash: int
    cost: int
    realised: int


class Refused(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="refused"):
    """The command changed nothing and no order was made of it (cancel too late, unknown order, …)."""

    code: str  # a code of trading.errors
    detail: str
    facts: dict[str, Any] = {}
    order_id: str = ""


Event = (
    OrderRow
    | FillRow
    | TransferRow
    | BalanceRow
    | PositionRow
    | PortfolioRow
    | Notice
    | ActionRow
    | ActionEntryRow
    | Refused
)
