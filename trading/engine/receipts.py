"""What decided it, in scaled integers: enough to compute it again. The shape is in README.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from market.ticks import Print
from trading.engine.markets import NS_PER_MS
from trading.engine.orders import Order
from trading.engine.records import Step

Facts = dict[str, Any]


def rule(name: str, text: str, row: str = "") -> Facts:
    """The rule that bound it. `row` is the id of the dated rulebook row, "" for the player's own words."""
    return {"name": name, "row": row, "text": text}


def trade_print(tick: Print, at_ns: int) -> Facts:
    return {
        "source": tick.source,
        "seq": tick.seq,
        "epoch": tick.source_epoch,
        "source_seq": tick.source_seq,
        "at": tick.at_ns,
        "age_ms": (at_ns - tick.received_ns) // NS_PER_MS,
        "made": tick.made,
        "price": tick.price,
        "size": tick.size,
        "side": tick.side,
    }


def levels(steps: Sequence[Step], beyond: tuple[int, int] | None = None) -> list[Facts]:
    """Levels walked, and the next one that was left alone."""
    walked = [
        {"price": s.price, "size": s.shown, "taken": s.size, "against": "player" if s.maker else "market"}
        for s in steps
    ]
    return walked if beyond is None else walked + untouched(beyond)


def untouched(beyond: tuple[int, int] | None) -> list[Facts]:
    """A level that was left alone."""
    if beyond is None:
        return []
    price, size = beyond
    return [{"price": price, "size": size, "taken": 0, "against": "market"}]


def order(
    what: str, order: Order, at_ns: int, why: Facts, levels: list[Facts] | None = None, /, **more: Any
) -> Facts:
    """Why an order rests or ended. `more`: waits, facts."""
    limit = order.limit_price
    receipt = {
        "decided": what,
        "at": at_ns,
        "quote": order.market.looked_at(at_ns),
        "queue_ahead": order.queue_ahead,
        "limit_price": limit,
        "rule": why,
    }
    if limit is None:
        receipt["collar"] = order.price
    if levels is not None:
        receipt["levels"] = levels
    if more:
        receipt.update(more)
    return receipt
