"""From the bytes of a request to a command's fields. Pure.

Strict: unknown fields, duplicate keys, and numbers that are no plain decimals are refused, each with
the JSON pointer of the culprit. Kinds of orders that do not exist here are told apart from nonsense:
`UNSUPPORTED` says what works. Which terms go together: terms.py.
"""

from __future__ import annotations

import json
import uuid
from decimal import Decimal
from typing import Any

import msgspec

from simgame.kernel.errors import Invalid, Malformed, SimGameError
from trading.errors import UnknownOrder, Unsupported
from trading.gateway import terms
from trading.gateway.bodies import Asked, Change, OrderBody, ReplaceBody, Wanted
from trading.messages import LEG_NAMES, Scale

CLIENT_ID_CHARS_MAX = 48
SIDES = ("buy", "sell")
TYPES = ("market", "limit", "stop", "stop_limit", "trailing_stop")
TIMES = ("day", "gtc", "gtd", "ioc", "fok", "opg", "cls")
EFFECTS = ("open", "close", "close_today")
CHANGES = ("qty", "limit_price", "time_in_force", "stop_price", "trail", "expires_at")


# A JSON number keeps its digits: it never becomes a float.
_order = msgspec.json.Decoder(OrderBody, float_hook=Decimal).decode
_replace = msgspec.json.Decoder(ReplaceBody, float_hook=Decimal).decode


def order_body(body: bytes) -> OrderBody:
    """Raises Malformed, Invalid or Unsupported."""
    found = _decoded(_order, body)
    if found.legs is not None or found.order_class == "mleg":
        raise Unsupported(
            "legs: no order is of several instruments. Protective legs go in take_profit and stop_loss.",
            pointer="/legs",
        )
    if found.extended_hours:
        raise Unsupported(
            "extended_hours: there is no trading outside market hours.", pointer="/extended_hours"
        )
    return found


def wanted(found: OrderBody, scale: Scale) -> Wanted:
    """Check the fields against each other and read the numbers. Raises Invalid or Unsupported."""
    side = _one_of("side", found.side, SIDES)
    kind = _one_of("type", found.type, TYPES)
    in_force = _one_of("time_in_force", "day" if found.time_in_force is None else found.time_in_force, TIMES)
    order_class = _one_of("order_class", found.order_class or "simple", terms.CLASSES)
    if found.position_intent is not None:
        _one_of("position_intent", found.position_intent, tuple(f"{side}_to_{e}" for e in EFFECTS))
    if found.qty is None and found.notional is None:
        raise Invalid("qty: how many? A quantity is required, or notional.", pointer="/qty")
    price = terms.oco_price(found, scale)
    if kind in terms.HAVE_LIMIT and price is None:
        raise Invalid(f"limit_price: a {kind} order needs one.", pointer="/limit_price")
    if kind not in terms.HAVE_LIMIT and price is not None:
        raise Invalid(f"limit_price: a {kind} order has none.", pointer="/limit_price")
    qty = terms.number("qty", found.qty, scale.qty_exponent)
    asked = Asked(kind, side, in_force, order_class, price, qty)
    return Wanted(
        symbol=found.symbol,
        side=side,
        type=kind,
        time_in_force=in_force,
        qty=qty or 0,
        limit_price=price,
        client_order_id=client_id("client_order_id", found.client_order_id),
        terms=terms.of(found, asked, scale),
    )


def replace_body(body: bytes) -> ReplaceBody:
    found = _decoded(_replace, body)
    if found.time_in_force is not None:
        _one_of("time_in_force", found.time_in_force, TIMES)
    if all(getattr(found, name) is None for name in CHANGES):
        raise Invalid(f"Say what to change: {', '.join(CHANGES[:-1])} or {CHANGES[-1]}.")
    return found


def change(found: ReplaceBody, scale: Scale, *, by_percent: bool) -> Change:
    """`by_percent`: the order trails by a percentage, and so `trail` is one."""
    return Change(
        qty=terms.number("qty", found.qty, scale.qty_exponent),
        limit_price=terms.number("limit_price", found.limit_price, scale.price_exponent),
        time_in_force=found.time_in_force,  # type: ignore[arg-type]  # one of TIMES: replace_body saw to it
        client_order_id=client_id("client_order_id", found.client_order_id),
        stop_price=terms.number("stop_price", found.stop_price, scale.price_exponent),
        trail_price=None if by_percent else terms.number("trail", found.trail, scale.price_exponent),
        trail_ppb=terms.percentage("trail", found.trail) if by_percent else None,
        expire_ns=terms.instant("expires_at", found.expires_at) or None,
    )


def client_id(name: str, value: str | None) -> str | None:
    """A caller's own key: 1 to 48 visible ASCII characters."""
    if value is None or value == "":
        return None
    if len(value) > CLIENT_ID_CHARS_MAX or not value.isascii() or not value.isprintable() or " " in value:
        detail = f"{name}: 1 to {CLIENT_ID_CHARS_MAX} visible ASCII characters without spaces."
        raise Invalid(detail, pointer=f"/{name}")
    if value.startswith(LEG_NAMES):
        raise Invalid(f"{name}: names that begin with {LEG_NAMES} are those of legs.", pointer=f"/{name}")
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
    values = msgspec.structs.astuple(found)
    if body.count(b":") > len(values) - values.count(None):
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
    name = path.rstrip("`").lstrip(".").replace(".", "/")
    if not name and "field `" in detail:
        name = detail.split("field `", 1)[1].split("`", 1)[0]
    pointer = f"/{name[:40]}" if name else ""
    return Invalid(f"{name[:40]}: {detail}." if path else f"{detail}.", pointer=pointer)


def _one_of(name: str, value: str, known: tuple[str, ...]) -> Any:
    """The value, known to be one of them."""
    if value not in known:
        raise Invalid(f"{name}: one of {', '.join(known)}, not {value[:20]!r}.", pointer=f"/{name}")
    return value
