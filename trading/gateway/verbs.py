"""What a player can do to orders: place, replace, cancel, cancel all, close a position.

No HTTP but status and headers.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from channels.db import database_sync_to_async
from django.conf import settings

from accounts import limits
from accounts.identity import Identity
from accounts.recent import Recent
from market.models import Instrument
from simgame.kernel import clock, ids
from simgame.kernel.errors import Invalid, NotFound, RateLimited, SimGameError
from simgame.switches import runtime
from trading import errors, messages, queries
from trading.engine.commands import (
    CancelAll,
    CancelOrder,
    ClosePosition,
    Leg,
    NewOrder,
    NewOrderWithTerms,
    ReplaceOrder,
    ReplaceWithTerms,
    Terms,
)
from trading.engine.events import OrderRow
from trading.exchange.client import client_for
from trading.exchange.wire import Body, Received
from trading.gateway import parse, terms
from trading.messages import Scale
from trading.models import Order
from trading.models.order import TERMINAL_STATUSES
from trading.portfolios import PortfolioRef, portfolio_for

DEADLINE_NS = 2 * clock.NS_PER_S  # the engine refuses what is older: a later 404 is final
ANSWER_S = 3.0  # we listen longer than the command may live
SCALES_S, SCALES_SPREAD_S = 600, 300  # an instrument's scale never changes; new ones are seen when asked for
encode = msgspec.json.Encoder().encode
_scales: Recent[Scale] = Recent(SCALES_S, size_max=50_000, spread_s=SCALES_SPREAD_S)


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


async def place(call: Call) -> Answer:
    """POST /v2/orders. Raises SimGameError, and Rejected for an order that was stored as rejected."""
    await _refuse_when_paused()
    portfolio, headers, rate = await _admit(call, "orders")
    found = parse.order_body(call.body)
    scale = await scale_of(portfolio.world_number, found.symbol)
    wanted = parse.wanted(found, scale)
    command = new_order(portfolio.id, wanted, _key(call, wanted.client_order_id))
    reply = await _ask(portfolio, command, rate)
    return _order_answer(reply, scale, headers)


def new_order(portfolio_id: int, wanted: parse.Wanted, key: str | None) -> NewOrder:
    """The command that asks for it, under ids of its own; without a `key` it goes by its id."""
    order_id, *leg_ids = _ids_of(wanted.terms)
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
    if wanted.terms is None:
        return NewOrder(*fields)
    return NewOrderWithTerms(*fields, _named(wanted.terms, *leg_ids))


def _ids_of(asked: Terms | None) -> list[str]:
    """The order's, its take profit's and its stop loss's, in this order also when sorted."""
    if asked is None or asked.order_class == "simple":
        return [ids.uuid7_text()]
    return sorted(ids.uuid7_text() for _ in range(3))


def _named(asked: Terms, profit_id: str = "", loss_id: str = "") -> Terms:
    """Ids for the legs, and names that no player can give to another order."""
    legs = {"take_profit": (asked.take_profit, profit_id), "stop_loss": (asked.stop_loss, loss_id)}
    named = {name: leg and _with_id(leg, order_id) for name, (leg, order_id) in legs.items()}
    return msgspec.structs.replace(asked, **named)


def _with_id(leg: Leg, order_id: str) -> Leg:
    return msgspec.structs.replace(leg, order_id=order_id, client_order_id=messages.LEG_NAMES + order_id)


async def close(call: Call, symbol: str, qty: str = "", percentage: str = "") -> Answer:
    """Sell a holding at market: all that may be sold, `qty`, or `percentage` of it (rounded down to lots)."""
    await _refuse_when_paused()
    portfolio, headers, rate = await _admit(call, "orders")
    scale = await scale_of(portfolio.world_number, symbol)
    if qty and percentage:
        raise Invalid("Say qty or percentage, not both.", pointer="/percentage")
    order_id = str(ids.uuid7())
    command = ClosePosition(
        portfolio=portfolio.id,
        order_id=order_id,
        client_order_id=_key(call, None) or order_id,
        symbol=symbol,
        deadline_ns=clock.now_ns() + DEADLINE_NS,
        qty=terms.number("qty", qty or None, scale.qty_exponent),
        share_ppb=terms.percentage("percentage", percentage or None, whole=True),
    )
    reply = await _ask(portfolio, command, rate)
    holds_none = reply.outcome == "not_executed" and not reply.result.get("facts")
    if holds_none and reply.code == errors.InsufficientSellable.code:
        raise NotFound("position does not exist")
    return _order_answer(reply, scale, headers)


async def replace(call: Call) -> Answer:
    """PATCH /v2/orders/{id}: the order keeps its id."""
    await _refuse_when_paused()
    portfolio, headers, rate = await _admit(call, "changes")
    order_id, version = parse.order_id(call.order_id), parse.version(call.headers.get("if-match"))
    found = parse.replace_body(call.body)
    symbol, by_percent = await _kind_of(order_id, portfolio.id)
    scale = await scale_of(portfolio.world_number, symbol)
    change = parse.change(found, scale, by_percent=by_percent)
    fields = (
        portfolio.id,
        order_id,
        _key(call, change.client_order_id) or str(uuid.uuid4()),
        clock.now_ns() + DEADLINE_NS,
        change.qty,
        change.limit_price,
        change.time_in_force,
        version,
    )
    moved = (change.stop_price, change.trail_price, change.trail_ppb, change.expire_ns)
    command = ReplaceWithTerms(*fields, *moved) if change.has_terms else ReplaceOrder(*fields)
    return _order_answer(await _ask(portfolio, command, rate), scale, headers)


async def cancel(call: Call) -> Answer:
    """DELETE /v2/orders/{id} → 204, as Alpaca answers."""
    portfolio, headers, rate = await _admit(call, "changes")
    order_id, version = parse.order_id(call.order_id), parse.version(call.headers.get("if-match"))
    command = CancelOrder(
        portfolio=portfolio.id,
        order_id=order_id,
        client_id=_key(call, None) or str(uuid.uuid4()),
        deadline_ns=clock.now_ns() + DEADLINE_NS,
        if_version=version,
    )
    reply = await _ask(portfolio, command, rate)
    if reply.code == errors.UnknownOrder.code:
        await _refuse_ended(order_id, portfolio.id)
    _require_executed(reply)
    return Answer(204, b"", headers | _marks(reply) | {"ETag": f'"{reply.version}"'})


async def cancel_all(call: Call) -> Answer:
    """DELETE /v2/orders → 207 with one entry per order that was open."""
    portfolio, headers, rate = await _admit(call, "changes")
    client_id = _key(call, None) or str(uuid.uuid4())
    command = CancelAll(portfolio.id, client_id, clock.now_ns() + DEADLINE_NS)
    reply = await _ask(portfolio, command, rate)
    _require_executed(reply)
    rows = [msgspec.convert(each, OrderRow) for each in reply.result["orders"]]
    scales = {row.symbol: await scale_of(portfolio.world_number, row.symbol) for row in rows}
    entries = [
        {"id": row.id, "status": 200, "body": messages.order_json(row, scales[row.symbol])} for row in rows
    ]
    return Answer(207, encode(entries), headers | _marks(reply))


async def scale_of(world_number: int, symbol: str) -> Scale:
    """How to read an instrument's numbers. Raises UnknownSymbol."""
    key = (world_number, symbol)
    return _scales.get(key) or await database_sync_to_async(_find_scale)(key)


def _find_scale(key: tuple[int, str]) -> Scale:
    """Ask the database. Many orders come here one after another when an instrument is forgotten: the first
    one's answer serves the others."""
    if known := _scales.get(key):
        return known
    world_number, symbol = key
    plain = symbol.isprintable() and len(symbol) <= 32
    found = Instrument.objects.filter(world_id=world_number, symbol=symbol).first() if plain else None
    if found is None:
        raise errors.UnknownSymbol(
            f"There is no instrument {symbol[:40]!r} in this world.", pointer="/symbol"
        )
    scale = messages.scale_of(found)
    _scales.put(key, scale)
    return scale


class Admitted(NamedTuple):
    """Whose portfolio, what the answer says of the allowance, and how many a second there may be."""

    portfolio: PortfolioRef
    headers: dict[str, str]
    rate: int


async def _admit(call: Call, what: str) -> Admitted:
    """Whose portfolio, and whether it may ask again so soon. Orders and changes of orders count apart."""
    portfolio = await portfolio_for(call.identity, call.headers.get("x-portfolio"))
    rate = runtime.known("trading.order_rate")
    if rate is None:
        rate = await runtime.aget("trading.order_rate")
    allowed = int(rate) or settings.ORDER_RATE
    allowance = limits.take(f"{what}:{portfolio.id}", allowed)
    if not allowance.ok:
        raise _too_often(allowance, what)
    return Admitted(portfolio, allowance.headers(what), allowed)


def _too_often(allowance: limits.Allowance, what: str) -> RateLimited:
    told = f"At most {allowance.limit} {what} a second per portfolio."
    return RateLimited(told, headers=allowance.headers(what), limit=allowance.limit)


async def _refuse_when_paused() -> None:
    accepts = runtime.known("trading.accept_orders")
    if accepts is None:
        accepts = await runtime.aget("trading.accept_orders")
    if not accepts:
        raise errors.OrdersPaused


def _key(call: Call, in_body: str | None) -> str | None:
    """The caller's key for this write: in the body, or in `Idempotency-Key`; both must agree."""
    header = call.headers.get("idempotency-key")
    in_header = parse.client_id("Idempotency-Key", header and header.strip().strip('"'))
    if in_header and in_body and in_header != in_body:
        raise Invalid("Idempotency-Key and client_order_id differ.", pointer="/client_order_id")
    return in_body or in_header


async def _ask(portfolio: PortfolioRef, command: Body, rate: int) -> Received:
    """The exchange's answer. Raises RateLimited where other web workers brought it enough already."""
    reply = await client_for(portfolio.world_number).ask(command, ANSWER_S, rate)
    if reply.code == RateLimited.code:
        what = "orders" if isinstance(command, NewOrder | ClosePosition) else "changes"
        raise _too_often(limits.Allowance(False, rate, 0, 1 / rate), what)
    return reply


def _require_executed(reply: Received, scale: Scale | None = None) -> None:
    """Raises what the exchange said otherwise, its numbers in decimals."""
    if reply.outcome != "executed":
        facts = reply.result.get("facts")
        raise errors.make(reply.code, reply.detail, queries.receipt_json(facts, scale) if scale else facts)


def _marks(reply: Received) -> dict[str, str]:
    return {"Idempotent-Replayed": "true"} if reply.replayed else {}


def _order_answer(reply: Received, scale: Scale, headers: dict[str, str]) -> Answer:
    _require_executed(reply, scale)
    headers |= _marks(reply)
    headers["ETag"] = f'"{reply.version}"'
    if reply.code:
        receipt = reply.result["order"]["receipt"]
        rule = receipt.get("rule") or {}
        facts = queries.receipt_json(receipt.get("facts"), scale)
        refusal = errors.make(reply.code, reply.detail, facts, rule.get("name", ""))
        raise Rejected(refusal, msgspec.Raw(reply.shown), headers)
    return Answer(200, reply.shown, headers)


@database_sync_to_async
def _kind_of(order_id: str, portfolio_id: int) -> tuple[str, bool]:
    """Its symbol, and whether it trails by a percentage."""
    mine = Order.objects.filter(id=order_id, portfolio_id=portfolio_id)
    found = mine.values_list("symbol", "terms").first()
    if found is None:
        raise errors.UnknownOrder
    symbol, its_terms = found
    return symbol, bool(its_terms and its_terms.get("trail_ppb"))


@database_sync_to_async
def _refuse_ended(order_id: str, portfolio_id: int) -> None:
    """The exchange forgets orders that ended long ago; the table does not."""
    mine = Order.objects.filter(id=order_id, portfolio_id=portfolio_id, status__in=TERMINAL_STATUSES)
    status = mine.values_list("status", flat=True).first()
    if status is not None:
        raise errors.AlreadyTerminal(f"The order is {status} already.", status=status)
