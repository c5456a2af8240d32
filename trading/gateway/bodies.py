"""The words of a request for an order, as they come and as they were understood."""

from __future__ import annotations

from typing import Any

import msgspec

from trading.engine.commands import OrderType, Side, Terms, TimeInForce


class TakeProfit(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    limit_price: Any = None


class StopLoss(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    stop_price: Any = None
    limit_price: Any = None


class OrderBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The JSON of POST /v2/orders: Alpaca's names."""

    symbol: str
    side: str
    type: str
    qty: Any = None
    time_in_force: str | None = None
    limit_price: Any = None
    client_order_id: str | None = None
    extended_hours: bool | None = None
    order_class: str | None = None
    position_intent: str | None = None
    notional: Any = None
    stop_price: Any = None
    trail_price: Any = None
    trail_percent: Any = None
    expires_at: str | None = None  # of a gtd order
    fired_by: str | None = None  # what sets a stop off: print (default) or quote
    post_only: bool | None = None
    reduce_only: bool | None = None
    take_profit: TakeProfit | None = None
    stop_loss: StopLoss | None = None
    legs: Any = None


class ReplaceBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The JSON of PATCH /v2/orders/{id}."""

    qty: Any = None
    limit_price: Any = None
    time_in_force: str | None = None
    client_order_id: str | None = None
    stop_price: Any = None
    trail: Any = None
    expires_at: str | None = None


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """A checked order, in scaled integers."""

    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    qty: int
    limit_price: int | None
    client_order_id: str | None
    terms: Terms | None = None  # its legs have no ids yet


class Change(msgspec.Struct, frozen=True, gc=False):
    qty: int | None
    limit_price: int | None
    time_in_force: TimeInForce | None
    client_order_id: str | None
    stop_price: int | None = None
    trail_price: int | None = None
    trail_ppb: int | None = None
    expire_ns: int | None = None

    @property
    def has_terms(self) -> bool:
        return (self.stop_price, self.trail_price, self.trail_ppb, self.expire_ns) != (None,) * 4


class Asked(msgspec.Struct, frozen=True, gc=False):
    """The words of an order that its terms are made of."""

    type: str
    side: str
    time_in_force: str
    order_class: str
    limit_price: int | None
    qty: int | None
