"""From the engine's events to the answer of one request. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from trading.engine.commands import CancelAll, CorporateAction, Correct, SettleAction
from trading.engine.events import Event, FillRow, Notice, OrderRow, PortfolioRow, Refused
from trading.engine.orders import REJECTED
from trading.exchange.wire import Reply

BY_STAFF = (CorporateAction, SettleAction, Correct)
NOTICES_TOLD_MAX = 500  # in the answer to staff; every player gets his own
REUSED = "IDEMPOTENCY_KEY_REUSED"
REUSED_DETAIL = "This key was used before, for a request with other contents; that one is untouched."


def refusal(events: list[Event]) -> Refused | None:
    """The reason why the command changed nothing, if it did not."""
    for event in events:
        if type(event) is Refused:
            return event
    return None


def result_of(command: Any, events: list[Any]) -> dict[str, Any]:
    """What is stored in the journal and sent: the rows the caller asked about, in their last state."""
    orders: dict[str, OrderRow] = {}
    fills: dict[str, int] = {}
    result: dict[str, Any] = {}
    wanted = getattr(command, "order_id", None)
    for event in events:
        kind = type(event)
        if kind is OrderRow:
            orders[event.id] = event
        elif kind is FillRow:
            fills[event.order_id] = fills.get(event.order_id, 0) + 1
        elif kind is PortfolioRow and event.portfolio == getattr(command, "portfolio", 0):
            result["portfolio"] = event
    if wanted is not None and wanted in orders:
        order = result["order"] = _told(orders[wanted])
        result["fills"] = fills.get(wanted, 0)
        if order.terms and (legs := [_told(orders[leg]) for leg in order.terms.with_it if leg in orders]):
            result["legs"] = legs
    elif isinstance(command, CancelAll):
        mine = [_told(row) for row in orders.values() if row.portfolio == command.portfolio]
        result["orders"] = mine
    elif isinstance(command, BY_STAFF):
        result |= _touched(events, orders)
    return result


def _touched(events: list[Event], orders: dict[str, OrderRow]) -> dict[str, Any]:
    """Who was told what, and how many orders became another or ended."""
    notices = [each for each in events if type(each) is Notice]
    told = [{"portfolio": each.portfolio, **each.facts} for each in notices[:NOTICES_TOLD_MAX]]
    return {
        "portfolios": len({each.portfolio for each in notices}),
        "touched": told,
        "changed_orders": len(orders),
    }


def _told(row: OrderRow) -> OrderRow:
    """The receipt stands with the order; an answer repeats that of a refusal, and what an order waits for."""
    if row.status == REJECTED:
        return row
    waits = row.receipt.get("waits")
    return msgspec.structs.replace(row, receipt={"waits": waits} if waits else {})


def executed(n: int, result: dict[str, Any], shown: bytes = b"", *, replayed: bool = False) -> Reply:
    """An executed command. A rejected order is executed: its reason is the code."""
    order: Any = result.get("order")
    if isinstance(order, dict):  # from the journal
        order = msgspec.convert(order, OrderRow)
    rejected = order is not None and order.status == REJECTED
    code = order.reason if rejected else ""
    detail = order.receipt.get("detail", "") if rejected else ""
    version = order.version if order is not None else 0
    return Reply(n, "executed", code, detail, result, replayed, shown, version)


def refused(n: int, event: Refused) -> Reply:
    facts = {"facts": event.facts, "order_id": event.order_id}
    return Reply(n, "not_executed", event.code, event.detail, facts)


def repeated(
    n: int, mark: bytes, stored: tuple[bytes, dict[str, Any]], show: Callable[[dict[str, Any]], bytes]
) -> Reply:
    """The answer to a key that was used before: the same request gets the same answer."""
    if mark != stored[0]:
        return Reply(n, "not_executed", REUSED, REUSED_DETAIL)
    result = stored[1]
    return executed(n, result, show(result), replayed=True)
