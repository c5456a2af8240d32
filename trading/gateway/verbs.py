"""What a player can do to orders: place, replace, cancel, cancel all, close a position.

No HTTP but status and headers. What an order needs is looked up here; what is done with it: placing.py.
"""

from __future__ import annotations

import uuid

import msgspec
from channels.db import database_sync_to_async

from market.models import Instrument
from simgame.kernel import clock, ids
from simgame.kernel.errors import Invalid, NotFound
from simgame.switches import runtime
from trading import errors, messages
from trading.engine.commands import CancelAll, CancelOrder, ClosePosition, ReplaceOrder, ReplaceWithTerms
from trading.engine.events import OrderRow
from trading.exchange.client import client_for
from trading.exchange.wire import Body, Received
from trading.gateway import parse, placing, terms
from trading.gateway.placing import DEADLINE_NS, Admitted, Answer, Call, Placing, key_of, marks, order_answer
from trading.messages import Scale
from trading.models import Order
from trading.models.order import TERMINAL_STATUSES
from trading.portfolios import portfolio_for

ANSWER_S = 3.0  # we listen longer than the command may live
encode = msgspec.json.Encoder().encode


async def place(call: Call) -> Answer:
    """POST /v2/orders. Raises SimGameError, and Rejected for an order that was stored as rejected."""
    await _refuse_when_paused()
    admitted = await _admit(call, "orders")
    found = parse.order_body(call.body)
    scale = await scale_of(admitted.portfolio.world_number, found.symbol)
    made = placing.placing(call, found, scale, admitted)
    return placing.answer_of(made, await asked(made))


async def asked(made: Placing) -> Received:
    """What the exchange says of an order."""
    by = made.admitted
    return await client_for(by.portfolio.world_number).ask(made.command, ANSWER_S, by.rate)


async def close(call: Call, symbol: str, qty: str = "", percentage: str = "") -> Answer:
    """Sell a holding at market: all that may be sold, `qty`, or `percentage` of it (rounded down to lots)."""
    await _refuse_when_paused()
    admitted = await _admit(call, "orders")
    scale = await scale_of(admitted.portfolio.world_number, symbol)
    if qty and percentage:
        raise Invalid("Say qty or percentage, not both.", pointer="/percentage")
    order_id = str(ids.uuid7())
    command = ClosePosition(
        portfolio=admitted.portfolio.id,
        order_id=order_id,
        client_order_id=key_of(call, None) or order_id,
        symbol=symbol,
        deadline_ns=clock.now_ns() + DEADLINE_NS,
        qty=terms.number("qty", qty or None, scale.qty_exponent),
        share_ppb=terms.percentage("percentage", percentage or None, whole=True),
    )
    reply = await _ask(admitted, command)
    holds_none = reply.outcome == "not_executed" and not reply.result.get("facts")
    if holds_none and reply.code == errors.InsufficientSellable.code:
        raise NotFound("position does not exist")
    return order_answer(reply, admitted, scale)


async def replace(call: Call) -> Answer:
    """PATCH /v2/orders/{id}: the order keeps its id."""
    await _refuse_when_paused()
    admitted = await _admit(call, "changes")
    order_id, version = parse.order_id(call.order_id), parse.version(call.headers.get("if-match"))
    found = parse.replace_body(call.body)
    symbol, by_percent = await _kind_of(order_id, admitted.portfolio.id)
    scale = await scale_of(admitted.portfolio.world_number, symbol)
    change = parse.change(found, scale, by_percent=by_percent)
    fields = (
        admitted.portfolio.id,
        order_id,
        key_of(call, change.client_order_id) or str(uuid.uuid4()),
        clock.now_ns() + DEADLINE_NS,
        change.qty,
        change.limit_price,
        change.time_in_force,
        version,
    )
    moved = (change.stop_price, change.trail_price, change.trail_ppb, change.expire_ns)
    command = ReplaceWithTerms(*fields, *moved) if change.has_terms else ReplaceOrder(*fields)
    return order_answer(await _ask(admitted, command), admitted, scale)


async def cancel(call: Call) -> Answer:
    """DELETE /v2/orders/{id} → 204, as Alpaca answers."""
    admitted = await _admit(call, "changes")
    order_id, version = parse.order_id(call.order_id), parse.version(call.headers.get("if-match"))
    command = CancelOrder(
        portfolio=admitted.portfolio.id,
        order_id=order_id,
        client_id=key_of(call, None) or str(uuid.uuid4()),
        deadline_ns=clock.now_ns() + DEADLINE_NS,
        if_version=version,
    )
    reply = await _ask(admitted, command)
    if reply.code == errors.UnknownOrder.code:
        await _refuse_ended(order_id, admitted.portfolio.id)
    placing.require_executed(reply)
    return Answer(204, b"", admitted.headers | marks(reply) | {"ETag": f'"{reply.version}"'})


async def cancel_all(call: Call) -> Answer:
    """DELETE /v2/orders → 207 with one entry per order that was open."""
    admitted = await _admit(call, "changes")
    client_id = key_of(call, None) or str(uuid.uuid4())
    command = CancelAll(admitted.portfolio.id, client_id, clock.now_ns() + DEADLINE_NS)
    reply = await _ask(admitted, command)
    placing.require_executed(reply)
    rows = [msgspec.convert(each, OrderRow) for each in reply.result["orders"]]
    scales = {row.symbol: await scale_of(admitted.portfolio.world_number, row.symbol) for row in rows}
    entries = [
        {"id": row.id, "status": 200, "body": messages.order_json(row, scales[row.symbol])} for row in rows
    ]
    return Answer(207, encode(entries), admitted.headers | marks(reply) | {"Content-Type": placing.JSON})


async def scale_of(world_number: int, symbol: str) -> Scale:
    """How to read an instrument's numbers. Raises UnknownSymbol."""
    key = (world_number, symbol)
    return placing.scales.get(key) or await database_sync_to_async(_find_scale)(key)


def _find_scale(key: tuple[int, str]) -> Scale:
    """Ask the database. Many orders come here one after another when an instrument is forgotten: the first
    one's answer serves the others."""
    if known := placing.scales.get(key):
        return known
    world_number, symbol = key
    plain = symbol.isprintable() and len(symbol) <= 32
    found = Instrument.objects.filter(world_id=world_number, symbol=symbol).first() if plain else None
    if found is None:
        raise errors.UnknownSymbol(
            f"There is no instrument {symbol[:40]!r} in this world.", pointer="/symbol"
        )
    scale = messages.scale_of(found)
    placing.scales.put(key, scale)
    return scale


async def _admit(call: Call, what: str) -> Admitted:
    """Whose portfolio, and whether it may ask again so soon."""
    portfolio = await portfolio_for(call.identity, call.headers.get("x-portfolio"))
    rate = runtime.known(placing.RATE)
    if rate is None:
        rate = await runtime.aget(placing.RATE)
    return placing.admitted(portfolio, int(rate), what)


async def _refuse_when_paused() -> None:
    accepts = runtime.known(placing.ACCEPTS)
    if accepts is None:
        accepts = await runtime.aget(placing.ACCEPTS)
    if not accepts:
        raise errors.OrdersPaused


async def _ask(admitted: Admitted, command: Body) -> Received:
    """The exchange's answer. Raises RateLimited."""
    reply = await client_for(admitted.portfolio.world_number).ask(command, ANSWER_S, admitted.rate)
    placing.refuse_too_often(reply, command, admitted.rate)
    return reply


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
