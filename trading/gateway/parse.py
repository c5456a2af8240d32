"""From the bytes of a request to a command's fields. Pure.

Strict: unknown fields, duplicate keys, and numbers that are no plain decimals are refused, each with
the JSON pointer of the culprit. Kinds of orders that do not exist here yet are told apart from
nonsense: `UNSUPPORTED` says what works.
"""

from __future__ import annotations

import json
import uuid
from decimal import Decimal
from typing import Any

import msgspec

from simgame.kernel import money
from simgame.kernel.errors import Invalid, Malformed, SimGameError
from trading.engine.commands import OrderType, Side, TimeInForce
from trading.errors import UnknownOrder, Unsupported
from trading.messages import Scale

CLIENT_ID_CHARS_MAX = 48
SIDES = ("buy", "sell")
TYPES = ("market", "limit")
TYPES_ELSEWHERE = ("stop", "stop_limit", "trailing_stop")
TIMES = ("day", "gtc", "ioc", "fok")
TIMES_ELSEWHERE = ("opg", "cls", "gtd")
INTENTS = {"buy": "buy_to_open", "sell": "sell_to_close"}
LATER = ("notional", "stop_price", "trail_price", "trail_percent", "take_profit", "stop_loss", "legs")
WHAT_WORKS = "market and limit orders of a quantity, time in force day, gtc, ioc or fok, order class simple"


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
    take_profit: Any = None
    stop_loss: Any = None
    legs: Any = None


class ReplaceBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The JSON of PATCH /v2/orders/{id}."""

    qty: Any = None
    limit_price: Any = None
    time_in_force: str | None = None
    client_order_id: str | None = None
    stop_price: Any = None
    trail: Any = None


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """A checked order, in scaled integers."""

    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    qty: int
    limit_price: int | None
    client_order_id: str | None


class Change(msgspec.Struct, frozen=True, gc=False):
    qty: int | None
    limit_price: int | None
    time_in_force: TimeInForce | None
    client_order_id: str | None


# A JSON number keeps its digits: it never becomes a float.
_order = msgspec.json.Decoder(OrderBody, float_hook=Decimal).decode
_replace = msgspec.json.Decoder(ReplaceBody, float_hook=Decimal).decode


def order_body(body: bytes) -> OrderBody:
    """Raises Malformed, Invalid or Unsupported."""
    found = _decoded(_order, body)
    for name in LATER:
        if getattr(found, name) is not None:
            raise Unsupported(
                f"{name} does not exist here yet. What works: {WHAT_WORKS}.", pointer=f"/{name}"
            )
    if found.order_class not in (None, "", "simple"):
        raise Unsupported(
            f"order_class: only simple works. What works: {WHAT_WORKS}.", pointer="/order_class"
        )
    if found.extended_hours:
        raise Unsupported(
            "extended_hours: there is no trading outside market hours.", pointer="/extended_hours"
        )
    return found


def wanted(found: OrderBody, scale: Scale) -> Wanted:
    """Check the fields against each other and read the numbers. Raises Invalid or Unsupported."""
    _one_of("side", found.side, SIDES)
    _one_of("type", found.type, TYPES, TYPES_ELSEWHERE)
    in_force = "day" if found.time_in_force is None else found.time_in_force
    _one_of("time_in_force", in_force, TIMES, TIMES_ELSEWHERE)
    if found.position_intent not in (None, INTENTS[found.side]):
        detail = f"position_intent: with side {found.side} only {INTENTS[found.side]} works."
        raise Unsupported(detail, pointer="/position_intent")
    if found.qty is None:
        raise Invalid("qty: how many? A quantity is required.", pointer="/qty")
    if found.type == "limit" and found.limit_price is None:
        raise Invalid("limit_price: a limit order needs one.", pointer="/limit_price")
    if found.type == "market" and found.limit_price is not None:
        raise Invalid("limit_price: a market order has none.", pointer="/limit_price")
    return Wanted(
        symbol=found.symbol,
        side=found.side,
        type=found.type,
        time_in_force=in_force,
        qty=_number("qty", found.qty, scale.qty_exponent),
        limit_price=_optional("limit_price", found.limit_price, scale.price_exponent),
        client_order_id=client_id("client_order_id", found.client_order_id),
    )


def replace_body(body: bytes) -> ReplaceBody:
    found = _decoded(_replace, body)
    for name in ("stop_price", "trail"):
        if getattr(found, name) is not None:
            raise Unsupported(
                f"{name} does not exist here yet. What works: {WHAT_WORKS}.", pointer=f"/{name}"
            )
    if found.time_in_force is not None:
        _one_of("time_in_force", found.time_in_force, TIMES, TIMES_ELSEWHERE)
    if found.qty is None and found.limit_price is None and found.time_in_force is None:
        raise Invalid("Say what to change: qty, limit_price or time_in_force.")
    return found


def change(found: ReplaceBody, scale: Scale) -> Change:
    return Change(
        qty=_optional("qty", found.qty, scale.qty_exponent),
        limit_price=_optional("limit_price", found.limit_price, scale.price_exponent),
        time_in_force=found.time_in_force,
        client_order_id=client_id("client_order_id", found.client_order_id),
    )


def client_id(name: str, value: str | None) -> str | None:
    """A caller's own key: 1 to 48 visible ASCII characters."""
    if value is None or value == "":
        return None
    if len(value) > CLIENT_ID_CHARS_MAX or not value.isascii() or not value.isprintable() or " " in value:
        detail = f"{name}: 1 to {CLIENT_ID_CHARS_MAX} visible ASCII characters without spaces."
        raise Invalid(detail, pointer=f"/{name}")
    return value


def order_id(text: str) -> str:
    """The id from the path. What is no UUID cannot be the id of an order."""
    try:
        return str(uuid.UUID(text)) if len(text) == 36 else _no_order()
    except ValueError:
        return _no_order()


def version(if_match: str | None) -> int:
    """The version that `If-Match` names; 0 for any."""
    if if_match is None or if_match.strip() == "*":
        return 0
    digits = if_match.strip().removeprefix("W/").strip('"')
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10 and int(digits)):
        raise Invalid('If-Match takes the ETag of the order, such as "3".', pointer="/If-Match")
    return int(digits)


def _no_order() -> str:
    raise UnknownOrder


def _decoded(decode: Any, body: bytes) -> Any:
    try:
        found = decode(body)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Malformed(f"The body is not JSON: {error}.") from error
    _refuse_duplicates(found, body)
    return found


def _refuse_duplicates(found: msgspec.Struct, body: bytes) -> None:
    """Of two values under one name, none can be meant. Every key has a colon: count before looking."""
    named = sum(getattr(found, name) is not None for name in found.__struct_fields__)
    if body.count(b":") > named:
        json.loads(body, object_pairs_hook=_without_duplicates, parse_float=str, parse_int=str)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise Malformed(f"The field {name[:40]!r} is there twice.", pointer=f"/{name[:40]}")
        seen.add(name)


def _invalid(message: str) -> SimGameError:
    """msgspec says `Expected `str`, got `int` - at `$.symbol``, or names an unknown or missing field."""
    detail, _, path = message.partition(" - at `$")
    name = path.rstrip("`").lstrip(".")
    if not name and "field `" in detail:
        name = detail.split("field `", 1)[1].split("`", 1)[0]
    pointer = f"/{name[:40]}" if name else ""
    return Invalid(f"{name[:40]}: {detail}." if path else f"{detail}.", pointer=pointer)


def _one_of(name: str, value: str, known: tuple[str, ...], elsewhere: tuple[str, ...] = ()) -> None:
    if value in known:
        return
    if value in elsewhere:
        raise Unsupported(
            f"{name} {value} does not exist here yet. What works: {WHAT_WORKS}.", pointer=f"/{name}"
        )
    raise Invalid(f"{name}: one of {', '.join(known)}, not {value[:20]!r}.", pointer=f"/{name}")


def _optional(name: str, value: Any, exponent: int) -> int | None:
    return None if value is None else _number(name, value, exponent)


def _number(name: str, value: Any, exponent: int) -> int:
    try:
        scaled = money.parse(value, exponent)
    except ValueError as error:
        raise Invalid(f"{name}: {error}.", pointer=f"/{name}") from error
    if scaled <= 0:
        raise Invalid(f"{name}: must be more than zero.", pointer=f"/{name}")
    return scaled
