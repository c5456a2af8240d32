"""What an order would do now: the engine's own answer, in decimals."""

from __future__ import annotations

from typing import Any, Final

from trading import errors, queries
from trading.exchange.client import client_for
from trading.exchange.wire import Preview
from trading.gateway import parse, placing, verbs
from trading.messages import Scale, average_price
from trading.portfolios import PortfolioRef

SIZES: Final = ("filled_qty", "rests_qty", "canceled_qty")  # keys that receipts do not have


async def previewed(portfolio: PortfolioRef, body: bytes) -> dict[str, Any]:
    """The preview of an order's JSON; see trading/engine/README.md for its keys.

    Raises what the body is refused for before the exchange sees it, and EngineRecovering.
    """
    found = parse.order_body(body)
    scale = await verbs.scale_of(portfolio.world_number, found.symbol)
    wanted = parse.wanted(found, scale)
    order = placing.new_order(portfolio.id, wanted, wanted.client_order_id)
    reply = await client_for(portfolio.world_number).ask(Preview(order), verbs.ANSWER_S)
    if reply.outcome != "executed":
        raise errors.make(reply.code, reply.detail, reply.result.get("facts"))
    return _decimal(reply.result, scale)


def _decimal(found: dict[str, Any], scale: Scale) -> dict[str, Any]:
    shown = queries.receipt_json(found, scale)
    if found["refusal"] is None:
        shown |= {name: scale.qty(found[name]) for name in SIZES}
        shown["average_price"] = average_price(found["filled_value"], found["filled_qty"], scale)
        shown["free_cash_after"] = scale.cash(found["free_cash_after"])
        del shown["filled_value"]
    return shown
