"""What web workers and the exchange say to each other over a Unix socket.

A frame is 4 bytes of length (big-endian) and msgpack: a list of requests one way, a list of
replies the other. Requests of one frame may be answered in several frames, in any order.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from trading.engine.commands import (
    Adjust,
    CancelAll,
    CancelOrder,
    ClosePosition,
    CorporateAction,
    Correct,
    ExerciseRights,
    Freeze,
    Halt,
    NewOrder,
    NewOrderWithTerms,
    OpenPortfolio,
    ReplaceOrder,
    ReplaceWithTerms,
    SettleAction,
)

NO_ROWS = msgspec.Raw(b"\x80")
decode_result = msgspec.msgpack.Decoder(dict[str, Any]).decode
FRAME_BYTES_MAX = 4 * 1024 * 1024  # a larger one is a broken peer: the connection is closed


class Preview(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="preview"):
    """What would this order do now? Nothing is stored."""

    order: NewOrder | NewOrderWithTerms


class Status(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="status"):
    """Epoch, sequence, phase, counters: for health, seed-state and tests.

    `hashed` adds the hash of the whole state, which takes a moment with many open orders.
    """

    hashed: bool = False


class Quarantine(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="quarantine"):
    """The checker's word: the books of the world are in doubt, serve cancels only. "" lifts it: the exchange
    reads its books anew, and judges for itself."""

    why: str


Body = (
    NewOrder
    | NewOrderWithTerms
    | ClosePosition
    | CancelOrder
    | ReplaceOrder
    | ReplaceWithTerms
    | CancelAll
    | OpenPortfolio
    | Adjust
    | Freeze
    | Halt
    | CorporateAction
    | SettleAction
    | ExerciseRights
    | Correct
    | Preview
    | Status
    | Quarantine
)


class Request(msgspec.Struct, frozen=True, gc=False, array_like=True):
    n: int  # chosen by the client, answered with it
    body: Body
    rate: int = 0  # so many a second of this portfolio are taken from all clients together; 0: no limit


class Reply(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """`outcome` executed: `result` holds the rows; not_executed / unknown: `code` says why.

    result for orders: {"order": OrderRow fields}, with "legs" when it came with some, and `shown` is
    that order as JSON for players, made once; replayed tells that an earlier answer is repeated.
    A rejected order is executed: it is stored, its status is "rejected" and `code` is its reason.
    """

    n: int
    outcome: Literal["executed", "not_executed", "unknown"]
    code: str = ""
    detail: str = ""
    result: dict[str, Any] = {}
    replayed: bool = False
    shown: bytes = b""
    version: int = 0  # of the order in `result`


class Received(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A Reply as a client reads it: the rows of `result` are made when somebody looks at them, which the
    road of orders seldom does."""

    n: int
    outcome: Literal["executed", "not_executed", "unknown"]
    code: str = ""
    detail: str = ""
    packed: msgspec.Raw = NO_ROWS
    replayed: bool = False
    shown: bytes = b""
    version: int = 0

    @property
    def result(self) -> dict[str, Any]:
        return decode_result(self.packed)
