"""What the engine is told. Ticks (market.ticks) are commands too.

Numbers are scaled integers (simgame.kernel.money) with the instrument's exponents; ids and times
come from outside, because the engine knows no clock and no chance. Every command is applied with
`at_ns`, the engine time its caller assigns (never going back).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from market.rulebook.rules import InstrumentRules
from market.ticks import PhaseTick, Print, Quote, Reference

Side = Literal["buy", "sell"]
OrderType = Literal["market", "limit"]
TimeInForce = Literal["day", "gtc", "ioc", "fok"]


class OpenPortfolio(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="open_portfolio"):
    """Opens the books of a portfolio and grants its start cash. Once per portfolio."""

    portfolio: int
    currency: str
    cash: int
    client_id: str


class NewOrder(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="new_order"):
    portfolio: int
    order_id: str  # UUIDv7, made at the edge
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    qty: int
    limit_price: int | None
    deadline_ns: int  # refused as STALE_ORDER when applied later


class CancelOrder(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="cancel"):
    portfolio: int
    order_id: str
    client_id: str
    deadline_ns: int
    if_version: int = 0  # 0: any


class ReplaceOrder(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="replace"):
    """The order keeps its id. None leaves a field as it is; `qty` counts what is filled already."""

    portfolio: int
    order_id: str
    client_id: str
    deadline_ns: int
    qty: int | None = None
    limit_price: int | None = None
    time_in_force: TimeInForce | None = None
    if_version: int = 0


class CancelAll(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="cancel_all"):
    portfolio: int
    client_id: str
    deadline_ns: int
    symbol: str = ""  # "" means every instrument


class Adjust(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="adjust"):
    """An operator's correction of cash or holdings, against the mint. `amount` may be negative."""

    portfolio: int
    asset: str
    amount: int
    reason: str
    client_id: str


class Freeze(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="freeze"):
    portfolio: int
    frozen: bool
    reason: str
    client_id: str


class Halt(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="halt"):
    symbol: str
    halted: bool
    reason: str
    client_id: str


class SetRules(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="rules"):
    """The rules of one instrument from now on: sent at start and at each market day."""

    rules: InstrumentRules


PlayerCommand = OpenPortfolio | NewOrder | CancelOrder | ReplaceOrder | CancelAll | Adjust | Freeze | Halt
Command = PlayerCommand | SetRules | Quote | Print | Reference | PhaseTick
