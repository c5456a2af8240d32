"""What a market says: the structs that travel from a source through the feed to everyone.

Prices and sizes are scaled integers with the instrument's exponents (`simgame.kernel.money`). A
size is a quantity of the instrument ("shares"), not lots. Times are nanoseconds since 1970, UTC.
`seq` is the feed's own, dense per (world, epoch); a source leaves it 0 and the feed stamps it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Level = tuple[int, int]  # price, size
DEPTH_LEVELS_MAX = 10  # what we carry per side; a source with more is cut


class Quote(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="q"):
    """Displayed depth of one instrument, whole: best level first, at most DEPTH_LEVELS_MAX a side.

    A side may be empty (limit up, one-sided market). `made` marks depth that the recording lacked
    and a stated rule made up.
    """

    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    at_ns: int  # the market's own time (world time)
    received_ns: int  # wall time when it reached us
    source: str
    source_epoch: int = 0
    source_seq: int = 0  # the source's own number for this message, 0 when it has none
    made: bool = False
    seq: int = 0


class Print(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="t"):
    """A trade print: somebody in the market traded. `side` is the taker's, "" when unknown."""

    symbol: str
    price: int
    size: int
    side: Literal["buy", "sell", ""]
    at_ns: int
    received_ns: int
    source: str
    source_epoch: int = 0
    source_seq: int = 0
    made: bool = False
    seq: int = 0


class Reference(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="r"):
    """What holds for one instrument on one market day: sent at the day's start and to late comers."""

    symbol: str
    market_day: int  # 20261102
    previous_close: int  # 0 when the instrument has none yet
    limit_low: int  # 0 when the day has no band
    limit_high: int
    at_ns: int
    received_ns: int
    source: str
    seq: int = 0
    settlement: int = 0  # settlement price of the market day before; 0: the previous close is it
    last: int = 0  # to late comers: the last trade's price so far, 0 when there was none


class PhaseTick(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="p"):
    """The world's clock: sent at every change and at least once a (wall) second."""

    market_day: int
    phase: str  # one of market.rulebook.phases.Phase
    next_phase: str
    next_change_ns: int  # world time; 0 when it never changes
    at_ns: int  # world time now
    received_ns: int
    speed: int = 1  # world seconds per wall second
    paused: bool = False
    seq: int = 0
    note: str = ""  # why, in words a player reads: "recording ended"
    opened: bool = False  # by the book, continuous trading has begun on this market day
    span: str = ""  # which part of the venue's day it is, by its start ("14:57"): boards may differ there


Tick = Quote | Print | Reference | PhaseTick

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Tick).decode
decode_many = msgspec.msgpack.Decoder(list[Tick]).decode
