"""Corrections as the engine is told them, made from the rows of a pit's events."""

from __future__ import annotations

from typing import Any

from tests.engine.pit import Pit
from trading.engine.accounts import CORPORATE, system_account
from trading.engine.commands import Correct, OrderWas, Settlement, Undone, UndoneFill
from trading.engine.events import ActionEntryRow, Event, FillRow, TransferRow

ISSUERS = system_account(1, CORPORATE)


def fill_of(row: FillRow) -> UndoneFill:
    return UndoneFill(*(getattr(row, name) for name in UndoneFill.__struct_fields__))


def transfers_of(events: list[Event], symbol: str) -> tuple[Undone, ...]:
    return tuple(
        Undone(row.n, row.debit, row.credit, row.asset, row.amount, symbol, row.fill)
        for row in events
        if isinstance(row, TransferRow)
    )


def bust(pit: Pit, fills: list[FillRow], price: int, **more: Any) -> Correct:
    """Takes these fills back. `missing` and `cost` may be given per portfolio."""
    matches = {row.match for row in fills}
    fills = [row for row in pit.events if isinstance(row, FillRow) and row.match in matches]
    numbers = {row.n for row in fills}
    moved = [row for row in pit.events if isinstance(row, TransferRow) and row.fill in numbers]
    missing, cost = more.pop("missing", {}), more.pop("cost", {})
    settlements = tuple(
        Settlement(
            who,
            pit.symbol,
            price,
            missing.get(who, 0),
            sum(-(r.cash + r.fee) if r.side == "buy" else 0 for r in fills if r.portfolio == who),
            cost.get(who),
        )
        for who in sorted({row.portfolio for row in fills})
    )
    values = {
        "account": ISSUERS,
        "client_id": f"bust{pit.seq}",
        "reason": "a bad tick",
        "what": "bust",
        "transfers": transfers_of(moved, pit.symbol),
        "fills": tuple(map(fill_of, fills)),
        "settlements": settlements,
    }
    return Correct(**(values | more))


def reinstate(pit: Pit, events: list[Event], price: int, cost: dict[int, int]) -> Correct:
    """Takes a bust back: `cost` is that of each position before it."""
    fills = [row for row in events if isinstance(row, FillRow)]
    return Correct(
        ISSUERS,
        f"again{pit.seq}",
        "it was a good tick after all",
        "reinstate",
        transfers_of(events, pit.symbol),
        tuple(map(fill_of, fills)),
        tuple(Settlement(who, pit.symbol, price, 0, 0, was) for who, was in sorted(cost.items())),
    )


def reverse(pit: Pit, key: str, events: list[Event], price: int, **more: Any) -> Correct:
    """Takes a corporate action back, made of what its commands answered."""
    symbols: dict[tuple[int, str], int] = {}
    for row in events:
        if isinstance(row, ActionEntryRow):
            symbols[row.portfolio, row.symbol] = symbols.get((row.portfolio, row.symbol), 0) + row.cost
    symbol = pit.symbol
    transfers = tuple(
        Undone(
            row.n, row.debit, row.credit, row.asset, row.amount, row.asset if row.asset == "NEW" else symbol
        )
        for row in events
        if isinstance(row, TransferRow)
    )
    touched = {
        (who, each.symbol) for each in transfers for who in (each.debit, each.credit) if who > 0
    } | symbols.keys()
    return Correct(
        ISSUERS,
        f"undo-{key}",
        "it was announced by mistake",
        "action",
        transfers,
        (),
        tuple(Settlement(who, name, price, 0, -symbols.get((who, name), 0)) for who, name in sorted(touched)),
        tuple(orders_were(pit, key)),
        key,
        **more,
    )


def orders_were(pit: Pit, key: str) -> list[OrderWas]:
    return [
        OrderWas(order.id, order.version, **row.receipt["was"])
        for order in pit.engine.state.orders.values()
        if (row := pit.row(order.id)).receipt.get("action") == key
    ]
