"""An account event as it is stored: the engine's rows as arrays, made into JSON for whoever reads them.

Each order leaves one and few are read: a player reads what he missed, and the stream is sent only where a
socket follows it. So an event is kept as `[FORMAT, orders, fills, positions, balances, portfolios, notices]`,
each row as the array of its values: JSON, which PostgreSQL need not look into. `event_body` makes of it the
message that players get, the same for stream, poll and drill. Receipts stand with orders and fills, not here.
Why: docs/decisions/0085-account-events-as-rows.md
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any

import msgspec

from trading.engine.events import (
    BalanceRow,
    FillRow,
    Notice,
    OrderRow,
    OrderTerms,
    PortfolioRow,
    PositionRow,
)
from trading.messages.rows import JSON, OF_A_PORTFOLIO, event_json, notice_json
from trading.messages.scale import Scales

FORMAT = 1  # one more when a row gets another field; what is stored stays readable


def _values(kind: Any, *but: str) -> Any:
    """What reads a row's values in the order of its fields."""
    return attrgetter(*(name for name in kind.__struct_fields__ if name not in but))


_order_values = _values(OrderRow, "receipt", "terms")
_fill_values = _values(FillRow, "receipt", "reverses")
_position_values = _values(PositionRow)
_balance_values = _values(BalanceRow)
_portfolio_values = _values(PortfolioRow)
_notice_values = _values(Notice)
_encode = msgspec.json.Encoder().encode


class UnknownFormat(ValueError):
    """The event was stored by another release, or by another hand."""


Row = list[Any]
_Stored = tuple[int, list[Row], list[Row], list[Row], list[Row], list[Row], list[Row]]
_decode = msgspec.json.Decoder(_Stored).decode


class Changes:
    """What a command changed for one portfolio, the last state of each row."""

    def __init__(self) -> None:
        self.orders: dict[str, Any] = {}
        self.fills: list[Any] = []
        self.positions: dict[str, Any] = {}
        self.balances: dict[str, Any] = {}
        self.portfolios: list[Any] = []
        self.notices: list[Any] = []

    def add(self, event: Any) -> None:
        kind = type(event)
        if kind is BalanceRow:
            self.balances[event.asset] = event
        elif kind is OrderRow:
            if event.id in self.orders:
                del self.orders[event.id]  # it stands where it changed last
            self.orders[event.id] = event
        elif kind is FillRow:
            self.fills.append(event)
        elif kind is PositionRow:
            self.positions[event.symbol] = event
        elif kind is PortfolioRow:
            self.portfolios.append(event)
        else:
            self.notices.append(event)

    def stored(self) -> bytes:
        return _encode(
            (
                FORMAT,
                [(*_order_values(row), row.receipt.get("waits"), row.terms) for row in self.orders.values()],
                [(*_fill_values(row), row.reverses) for row in self.fills],
                [_position_values(row) for row in self.positions.values()],
                [_balance_values(row) for row in self.balances.values()],
                [_portfolio_values(row) for row in self.portfolios],
                [_notice_values(row) for row in self.notices],
            )
        )


def changes_of(events: Iterable[Any]) -> dict[int, Changes]:
    """Each touched portfolio's. The world's own accounts are negative, and are told nothing."""
    found: dict[int, Changes] = {}
    for event in events:
        kind = type(event)  # each order comes through here: comparing types is quicker than matching
        if kind is BalanceRow:
            portfolio = event.account
        elif kind in OF_A_PORTFOLIO:
            portfolio = event.portfolio
        else:
            continue
        if portfolio <= 0:
            continue
        mine = found.get(portfolio)
        if mine is None:
            mine = found[portfolio] = Changes()
        mine.add(event)
    return found


def events_of(stored: bytes | str) -> list[Any]:
    """The engine's rows again, without receipts but for what an order waits for. Raises UnknownFormat."""
    try:
        found, *rows = _decode(stored)
        if found == FORMAT:
            return _rows(*rows)
    except (msgspec.DecodeError, TypeError, ValueError) as error:
        raise UnknownFormat(f"it is no account event: {error}") from error
    raise UnknownFormat(f"it is of format {found}; this release reads format {FORMAT}")


def _rows(
    orders: list[Row],
    fills: list[Row],
    positions: list[Row],
    balances: list[Row],
    portfolios: list[Row],
    notices: list[Row],
) -> list[Any]:
    rows: list[Any] = [_order(values) for values in orders]
    rows += [_fill(values) for values in fills]
    rows += [PositionRow(*values) for values in positions]
    rows += [BalanceRow(*values) for values in balances]
    rows += [PortfolioRow(*values) for values in portfolios]
    rows += [Notice(*values) for values in notices]
    return rows


def _order(values: Row) -> Any:
    *plain, waits, terms = values
    receipt = {"waits": waits} if waits else {}
    kind: Any = OrderRow
    return kind(*plain, receipt, None if terms is None else msgspec.convert(terms, OrderTerms))


def _fill(values: Row) -> Any:
    *plain, reverses = values
    kind: Any = FillRow
    return kind(*plain, {}, reverses)


def event_body(stored: bytes | str, scales: Scales, world_number: int) -> JSON:
    """The message that players get. Raises UnknownFormat."""
    return event_json(events_of(stored), scales, world_number)


def notices_of(stored: bytes | str) -> list[JSON]:
    """What the event tells the player in words. Raises UnknownFormat."""
    return [notice_json(row) for row in events_of(stored) if type(row) is Notice]
