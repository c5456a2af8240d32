"""The shape of a rule: what the engine asks of a rulebook. Pure; every row names its source.

Rates are parts per billion (0.00341 % = 34_100 ppb), prices and sizes scaled integers.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

PPB = 1_000_000_000


class Phase(StrEnum):
    """What a venue allows at a moment. Permissions: PERMITS."""

    PRE_OPEN = "pre_open"  # nothing is accepted yet (or queued by the venue: not by us)
    AUCTION = "auction"  # orders enter and may be cancelled; no matching until the cross
    AUCTION_LOCKED = "auction_locked"  # orders enter, none may be cancelled
    CONTINUOUS = "continuous"
    BREAK = "break"  # lunch: orders enter and may be cancelled, nothing matches
    CLOSED = "closed"  # nothing enters; cancelling is allowed
    PAUSED = "paused"  # the operator stopped the world's clock


class Permit(msgspec.Struct, frozen=True, gc=False):
    enter: bool
    cancel: bool
    match: bool


PERMITS: dict[str, Permit] = {
    Phase.PRE_OPEN: Permit(enter=False, cancel=True, match=False),
    Phase.AUCTION: Permit(enter=True, cancel=True, match=False),
    Phase.AUCTION_LOCKED: Permit(enter=True, cancel=False, match=False),
    Phase.CONTINUOUS: Permit(enter=True, cancel=True, match=True),
    Phase.BREAK: Permit(enter=True, cancel=True, match=False),
    Phase.CLOSED: Permit(enter=False, cancel=True, match=False),
    Phase.PAUSED: Permit(enter=True, cancel=True, match=False),
}


class FeeRule(msgspec.Struct, frozen=True, gc=False):
    """One fee line. `least` is the minimum **per order**, in minor units, over all its fills."""

    name: str  # commission | transfer | stamp | …
    side: Literal["both", "buy", "sell"]
    rate_ppb: int
    least: int
    row: str  # id of the dated rulebook row it comes from


class InstrumentRules(msgspec.Struct, frozen=True, gc=False):
    """Everything that binds orders in one instrument on one market day. Made by Rulebook.rules_for."""

    symbol: str
    asset: str  # name in the ledger: the symbol
    currency: str
    cash_exponent: int
    price_exponent: int
    qty_exponent: int
    multiplier: int
    tick: int
    lot: int  # buys: a multiple of it
    least_qty: int  # smallest buy (STAR: 200 with lot 1)
    odd_lot_sell: bool  # a remainder below one lot may be sold, in one order
    qty_max: int  # per order
    band_ppb: int  # 0: no band
    cage_ppb: int  # price cage of continuous trading, 0: none
    cage_ticks: int  # the cage never binds closer than this many ticks
    lock_days: int  # 1: bought today, sellable tomorrow (T+1); 0: at once
    fees: tuple[FeeRule, ...]
    rows: dict[str, str]  # rule name → id of the dated row that set it: "band" → "cn_a.band.main.2020-08-24"
    collar_ppb: int = 50_000_000  # a market order fills at most this far from the touch
    tradable: bool = True
    why_not_tradable: str = ""
    quote_age_ns_max: int = 15_000_000_000
