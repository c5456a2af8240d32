"""What a source puts into the feed. Scaled `Quote`/`Print`, or the venue's own numbers as they came.

A source never judges: what it cannot read it passes on as `Malformed`, what the venue says it passes
on as it is. The quality gate scales, judges and quarantines.
"""

from __future__ import annotations

from typing import Any

import msgspec

from market.feed.state import Day
from market.ticks import Print, Quote

Number = str | int | float | None  # as the venue wrote it, unscaled


class RawQuote(msgspec.Struct, frozen=True, gc=False):
    """A quote in the venue's decimals. `also` holds further numbers of the message (open, volume …)."""

    symbol: str
    bids: tuple[tuple[Number, Number], ...]
    asks: tuple[tuple[Number, Number], ...]
    at_ns: int
    received_ns: int
    source: str
    source_epoch: int = 0
    source_seq: int = 0
    made: bool = False
    also: dict[str, Number] = {}


class RawPrint(msgspec.Struct, frozen=True, gc=False):
    """A trade print in the venue's decimals."""

    symbol: str
    price: Number
    size: Number
    side: str
    at_ns: int
    received_ns: int
    source: str
    source_epoch: int = 0
    source_seq: int = 0
    made: bool = False
    also: dict[str, Number] = {}


class Malformed(msgspec.Struct, frozen=True, gc=False):
    """A message that could not be read, or that the venue's own rules call invalid."""

    source: str
    reason: str  # at most 32 characters
    payload: Any  # JSON value: what came
    symbol: str = ""


class Gap(msgspec.Struct, frozen=True, gc=False):
    """The source knows that messages are missing: bars over it are partial. Symbol "" means all."""

    source: str
    symbol: str
    at_ns: int
    first_missing: int = 0
    last_missing: int = 0


class Settled(msgspec.Struct, frozen=True, gc=False):
    """A venue's own settlement price of a contract."""

    symbol: str
    price: Number
    market_day: int  # 20261102
    opens: bool  # whether it is the one that this day begins with; else the day's own
    source: str


class Skipped(msgspec.Struct, frozen=True, gc=False):
    """The trades of one instrument on one market day that a replay passed over, and when the last one was."""

    symbol: str
    trades: Day
    at_ns: int
    source: str


class Reached(msgspec.Struct, frozen=True, gc=False):
    """A paced source has given everything up to this world time: the world's time may follow."""

    at_ns: int


# What reading a message of a venue may raise: the message is Malformed, whatever it was. RecursionError:
# brackets in brackets, as no venue sends and an attacker does.
NOT_UNDERSTOOD = (
    LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, msgspec.DecodeError,
)  # fmt: skip

Item = Reached | Quote | Print | RawQuote | RawPrint | Malformed | Gap | Settled | Skipped
