"""The shape of a rule: what the engine asks of a rulebook. Pure; every row names its source.

Rates are parts per billion (0.00341 % = 34_100 ppb), prices and sizes scaled integers.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

PPB = 1_000_000_000
# Why an instrument is halted by its venue's row [[breaker]]: whoever reads it can look the row up.
VOLATILITY_HALT = "Volatility halt: the price moved too far too fast."


class Phase(StrEnum):
    """What a venue allows at a moment. Permissions: PERMITS."""

    PRE_OPEN = "pre_open"  # nothing is accepted yet (or queued by the venue: not by us)
    AUCTION = "auction"  # orders enter and may be cancelled; no matching until the cross
    AUCTION_LOCKED = "auction_locked"  # orders enter, none may be cancelled
    CONTINUOUS = "continuous"
    BREAK = "break"  # lunch: orders enter and may be cancelled, nothing matches
    AFTER_HOURS_QUIET = "after_hours_quiet"  # orders at the close enter, and wait
    AFTER_HOURS = "after_hours"  # orders at the close meet at the day's closing price
    CLOSED = "closed"  # nothing enters; cancelling is allowed
    PAUSED = "paused"  # the operator stopped the world's clock


class Permit(msgspec.Struct, frozen=True, gc=False):
    enter: bool
    cancel: bool
    match: bool  # whether takers, quotes and prints fill orders


# What a phase means where the venue's rulebook states nothing else (InstrumentRules.permits).
PERMITS: dict[str, Permit] = {
    Phase.PRE_OPEN: Permit(enter=False, cancel=True, match=False),
    Phase.AUCTION: Permit(enter=True, cancel=True, match=False),
    Phase.AUCTION_LOCKED: Permit(enter=True, cancel=False, match=False),
    Phase.CONTINUOUS: Permit(enter=True, cancel=True, match=True),
    Phase.BREAK: Permit(enter=True, cancel=True, match=False),
    Phase.AFTER_HOURS_QUIET: Permit(enter=True, cancel=False, match=False),
    Phase.AFTER_HOURS: Permit(enter=True, cancel=True, match=False),
    Phase.CLOSED: Permit(enter=False, cancel=True, match=False),
    Phase.PAUSED: Permit(enter=True, cancel=True, match=False),
}


Side = Literal["both", "buy", "sell"]
Effect = Literal["", "open", "close", "close_today"]  # what the fill does to the position; "": whatever
Role = Literal["", "maker", "taker"]
Ties = Literal["pressure", "middle", "nearest", "last_pair"]


class FeeRule(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One fee line: worth x rate_ppb + quantity x unit_ppb, at least `least` and at most `most`.

    `least` and `most` hold **per order**, in minor units, over all its fills. Where a venue tells makers
    from takers (`role`), each fill pays for itself, and there is neither a least nor a most.
    """

    name: str  # commission | transfer | stamp | …
    side: Side
    rate_ppb: int
    least: int
    row: str  # id of the dated rulebook row it comes from
    unit_ppb: int = 0  # billionths of a minor unit per scaled quantity: per contract, per share
    most: int = 0  # 0: no most
    effect: Effect = ""
    role: Role = ""


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
    # --- the instrument's place -------------------------------------------------------------------
    venue: str = ""  # SSE, SHFE, …: whose rules these are
    board: str = ""
    product: str = ""  # rb, IF: a futures product; bond, gold, …: a class of ETF
    kind: str = ""  # stock | etf | future | fx | crypto
    # --- the day's shape --------------------------------------------------------------------------
    phases: dict[str, str] = {}  # span of the venue's day → this instrument's phase; {}: the venue's
    permits: dict[str, Permit] = {}  # phase → what the venue allows in it; else PERMITS
    auction_ties: Ties = "pressure"  # how a call auction chooses among prices of equal volume
    band_down_ppb: int = 0  # below the previous close, where it differs from band_ppb (first days)
    qty_max_market: int = 0  # per market order; 0: as qty_max
    tick_small: int = 0  # the tick of prices below `tick_small_below`; 0: there is one tick
    tick_small_below: int = 0
    # --- long, short, margin ------------------------------------------------------------------------
    is_contract: bool = False  # nothing is paid for it: margin is held, and it is marked every day
    close_today_apart: bool = False  # "close" means yesterday's position, "close_today" today's (SHFE, INE)
    margin_long_ppb: int = 0  # own money needed to open, of its worth; 0: paid in full
    margin_short_ppb: int = 0  # the same for a short position, besides what the sale brought
    maintenance_long_ppb: int = 0  # own money needed to keep it, of its worth
    maintenance_short_ppb: int = 0
    short_allowed: bool = False
    borrow_ppb: int = 0  # fee of borrowing it, of its worth, a year
    interest_ppb: int = 0  # interest on a cash loan, a year
    last_day: int = 0  # the market day on which it expires, 20191015; 0: never
    day_buys_max: int = 0  # of one portfolio on one market day; 0: no limit
    settle_days: int = 0  # T+n at which money and holdings change hands: a stated fact, not acted on

    def is_on_tick(self, price: int) -> bool:
        """Whether an order may have this price."""
        small = self.tick_small
        return price > 0 and price % (small if small and price < self.tick_small_below else self.tick) == 0

    def tick_at(self, price: int) -> int:
        """The smallest step of prices there."""
        return self.tick_small if self.tick_small and price < self.tick_small_below else self.tick
