"""Placing an order with what is known already: from its body to the command, from the reply to the answer.

Nothing here waits, so an order goes through in one piece (see straight.py). What has to be looked up first
is None, and the coroutines of verbs.py look it up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from django.conf import settings

from accounts import limits
from accounts.identity import Identity, Presented, remembered
from accounts.recent import Recent
from simgame.kernel import clock, ids
from simgame.kernel.errors import Invalid, RateLimited, SimGameError
from simgame.switches import runtime
from trading import errors, messages, queries
from trading.engine.commands import ClosePosition, Leg, NewOrder, NewOrderWithTerms, Terms
from trading.exchange.wire import Received
from trading.gateway import parse
from trading.gateway.bodies import OrderBody, Wanted
from trading.messages import Scale
from trading.portfolios import PortfolioRef, known_portfolio

DEADLINE_NS = 2 * clock.NS_PER_S  # the engine refuses what is older: a later 404 is final
SCALES_S, SCALES_SPREAD_S = 600, 300  # an instrument's scale never changes; new ones are seen when asked for
ACCEPTS, RATE = "trading.accept_orders", "trading.order_rate"  # switches
JSON = "application/json"
REPLAYED = {"Idempotent-Replayed": "true"}
scales: Recent[Scale] = Recent(SCALES_S, size_max=50_000, spread_s=SCALES_SPREAD_S)


class Call(NamedTuple):
    """A request, whoever carried it. `headers`: lower-case names."""

    identity: Identity
    headers: Mapping[str, str]
    body: bytes = b""
    order_id: str = ""


class Answer(NamedTuple):
    status: int
    content: bytes
    headers: dict[str, str]


class Rejected(Exception):
    """The exchange took the order and rejected it: `refusal` says why, `order` is its JSON."""

    def __init__(self, refusal: SimGameError, order: msgspec.Raw, headers: dict[str, str]):
        super().__init__(refusal.detail)
        self.refusal, self.order, self.headers = refusal, order, headers


class Admitted(NamedTuple):
    """Whose portfolio, what the answer says of the allowance, and how many a second there may be."""

    portfolio: PortfolioRef
    headers: dict[str, str]
    rate: int


class Placing(NamedTuple):
    """An order ready for the exchange, and what its answer is made with."""

    command: NewOrder | NewOrderWithTerms
    admitted: Admitted
    scale: Scale


def begun(shown: Presented, headers: Mapping[str, str], body: bytes) -> Placing | None:
    """The order in a request that presents this. None and errors: as `at_once`."""
    known = remembered(shown)
    if known is None:
        return None
    known.identity.require("trade")
    return at_once(Call(known.identity, headers, body))


def at_once(call: Call) -> Placing | None:
    """None where something has to be looked up, or is refused before the allowance counts: `verbs.place`
    says it then. Raises SimGameError for what is refused after that."""
    portfolio = known_portfolio(call.identity, call.headers.get("x-portfolio"))
    rate = runtime.known(RATE)
    if portfolio is None or rate is None or not runtime.known(ACCEPTS):
        return None
    try:
        found = parse.order_body(call.body)
    except SimGameError:
        return None
    scale = scales.get((portfolio.world_number, found.symbol))
    return None if scale is None else placing(call, found, scale, admitted(portfolio, int(rate), "orders"))


def admitted(portfolio: PortfolioRef, rate: int, what: str) -> Admitted:
    """Counts the attempt. Orders and changes of orders count apart. Raises RateLimited."""
    allowed = rate or settings.ORDER_RATE
    allowance = limits.take(f"{what}:{portfolio.id}", allowed)
    if not allowance.ok:
        raise too_often(allowance, what)
    return Admitted(portfolio, allowance.headers(what), allowed)


def too_often(allowance: limits.Allowance, what: str) -> RateLimited:
    told = f"At most {allowance.limit} {what} a second per portfolio."
    return RateLimited(told, headers=allowance.headers(what), limit=allowance.limit)


def placing(call: Call, found: OrderBody, scale: Scale, by: Admitted) -> Placing:
    """Raises Invalid and Unsupported."""
    wanted = parse.wanted(found, scale)
    return Placing(new_order(by.portfolio.id, wanted, key_of(call, wanted.client_order_id)), by, scale)


def new_order(portfolio_id: int, wanted: Wanted, key: str | None) -> NewOrder | NewOrderWithTerms:
    """The command that asks for it, under ids of its own; without a `key` it goes by its id."""
    asked = wanted.terms
    # Sorted: the order, its take profit and its stop loss go by their ids.
    legs = asked is not None and asked.order_class != "simple"
    made = sorted([ids.uuid7_text() for _ in range(3)]) if legs else [ids.uuid7_text()]
    order_id = made[0]
    fields = (
        portfolio_id,
        order_id,
        key or order_id,
        wanted.symbol,
        wanted.side,
        wanted.type,
        wanted.time_in_force,
        wanted.qty,
        wanted.limit_price,
        clock.now_ns() + DEADLINE_NS,
    )
    if asked is None:
        return NewOrder(*fields)
    return NewOrderWithTerms(*fields, _named(asked, *made[1:]))


def _named(asked: Terms, profit_id: str = "", loss_id: str = "") -> Terms:
    """Ids for the legs, and names that no player can give to another order."""
    legs = {"take_profit": (asked.take_profit, profit_id), "stop_loss": (asked.stop_loss, loss_id)}
    named = {name: leg and _with_id(leg, order_id) for name, (leg, order_id) in legs.items()}
    return msgspec.structs.replace(asked, **named)


def _with_id(leg: Leg, order_id: str) -> Leg:
    return msgspec.structs.replace(leg, order_id=order_id, client_order_id=messages.LEG_NAMES + order_id)


def key_of(call: Call, in_body: str | None) -> str | None:
    """The caller's key for this write: in the body, or in `Idempotency-Key`; both must agree."""
    header = call.headers.get("idempotency-key")
    if header is None:
        return in_body
    in_header = parse.client_id("Idempotency-Key", header.strip().strip('"'))
    if in_header and in_body and in_header != in_body:
        raise Invalid("Idempotency-Key and client_order_id differ.", pointer="/client_order_id")
    return in_body or in_header


def answer_of(made: Placing, reply: Received) -> Answer:
    """What the order's caller is told. Raises what the exchange said otherwise, and Rejected."""
    refuse_too_often(reply, made.command, made.admitted.rate)
    return order_answer(reply, made.admitted, made.scale)


def order_answer(reply: Received, by: Admitted, scale: Scale) -> Answer:
    """Of a reply about one order. Raises as `answer_of`."""
    require_executed(reply, scale)
    headers = by.headers
    if reply.replayed:
        headers |= REPLAYED
    headers["ETag"] = f'"{reply.version}"'
    if reply.code:
        receipt = reply.result["order"]["receipt"]
        rule = receipt.get("rule") or {}
        facts = queries.receipt_json(receipt.get("facts"), scale)
        refusal = errors.make(reply.code, reply.detail, facts, rule.get("name", ""))
        raise Rejected(refusal, msgspec.Raw(reply.shown), headers)
    headers["Content-Type"] = JSON
    return Answer(200, reply.shown, headers)


def refuse_too_often(reply: Received, command: Any, rate: int) -> None:
    """Raises RateLimited where other web workers brought the exchange enough already."""
    if reply.code == RateLimited.code:
        what = "orders" if isinstance(command, (NewOrder, NewOrderWithTerms, ClosePosition)) else "changes"
        raise too_often(limits.Allowance(False, rate, 0, 1 / rate), what)


def require_executed(reply: Received, scale: Scale | None = None) -> None:
    """Raises what the exchange said otherwise, its numbers in decimals."""
    if reply.outcome != "executed":
        facts = reply.result.get("facts")
        raise errors.make(reply.code, reply.detail, queries.receipt_json(facts, scale) if scale else facts)


def marks(reply: Received) -> dict[str, str]:
    return REPLAYED if reply.replayed else {}
