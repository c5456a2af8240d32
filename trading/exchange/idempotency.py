"""One effect per key, for ever: `(portfolio, kind, client id)` names a command, a fingerprint its sense.

Pure. The authority is the unique constraint of the journal; what a key did is read from there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from operator import attrgetter
from typing import Any

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
    Leg,
    NewOrder,
    NewOrderWithTerms,
    OpenPortfolio,
    ReplaceOrder,
    ReplaceWithTerms,
    SettleAction,
    Terms,
)

Key = tuple[int, str, str]  # portfolio, kind, client id
KINDS: dict[Any, str] = {
    NewOrder: "new_order",
    NewOrderWithTerms: "new_order",
    ClosePosition: "new_order",  # it makes an order too, and names of orders are one family
    CancelOrder: "cancel",
    ReplaceOrder: "replace",
    ReplaceWithTerms: "replace",
    CancelAll: "cancel_all",
    OpenPortfolio: "open_portfolio",
    Adjust: "adjust",
    Freeze: "freeze",
    ExerciseRights: "exercise_rights",
    CorporateAction: "corporate_action",
    SettleAction: "settle_action",
    Correct: "correct",
}
# What may differ between two sendings of the same request.
_NOT_MEANT = {"order_id", "client_order_id", "client_id", "deadline_ns"}
_NAMES_AN_ORDER = (CancelOrder, ReplaceOrder)
_encode = msgspec.json.Encoder(order="deterministic").encode


def _whose(kind: Any) -> Callable[[Any], tuple[int, str]]:
    """Portfolio, or the world's own account, and client id of a command of this kind."""
    names = kind.__struct_fields__
    who = "account" if "account" in names else "portfolio"
    return attrgetter(who, "client_order_id" if "client_order_id" in names else "client_id")


def _meant(kind: Any) -> Callable[[Any], tuple[Any, ...]]:
    """The fields of a command of this kind that mean something: two of them at least."""
    ignored = _NOT_MEANT - {"order_id"} if issubclass(kind, _NAMES_AN_ORDER) else _NOT_MEANT
    return attrgetter(*[name for name in kind.__struct_fields__ if name not in ignored])


_WHOSE = {kind: _whose(kind) for kind in KINDS}
_MEANT = {kind: _meant(kind) for kind in KINDS}


def key_of(command: Any) -> Key | None:
    """The key of a player's command, or of one for the world's own accounts; None for ticks, halts, rules."""
    kind = KINDS.get(type(command))
    if kind is None:
        return None
    who, client_id = _WHOSE[type(command)](command)
    return who, kind, client_id


def is_new_by_making(command: Any) -> bool:
    """The edge made this key itself, from the random order id: nobody can have used it before."""
    return isinstance(command, (NewOrder, ClosePosition)) and command.client_order_id == command.order_id


def fingerprint(command: Any) -> bytes:
    """SHA-256 over the fields that mean something, in a canonical spelling."""
    meant = _MEANT[type(command)](command)
    if type(command) is NewOrderWithTerms:
        meant = tuple(map(_sense, meant))
    return hashlib.sha256(_encode(meant)).digest()


def _sense(value: Any) -> Any:
    """A field without the ids in it that the edge makes anew for every sending."""
    if not isinstance(value, Terms):
        return value
    legs = {name: _without_ids(getattr(value, name)) for name in ("take_profit", "stop_loss")}
    return msgspec.structs.replace(value, **legs)


def _without_ids(leg: Leg | None) -> Leg | None:
    return leg and msgspec.structs.replace(leg, order_id="", client_order_id="")
