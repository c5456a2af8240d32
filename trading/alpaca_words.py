"""Alpaca's words for what our streams say. Pure, but for what a follower remembers of one socket.

Their messages: https://docs.alpaca.markets/docs/streaming-market-data (market data) and
https://docs.alpaca.markets/docs/websocket-streaming (trade updates).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from market import shapes
from simgame.kernel import clock

JSON = dict[str, Any]
ERRORS: Final = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    410: "invalid subscribe action for this feed",
    500: "internal error",
}
ENDED: Final = frozenset({"canceled", "expired", "rejected"})  # statuses that are their events' names
TERMS: Final = ("qty", "limit_price", "stop_price", "trail_price", "trail_percent", "time_in_force")


def error(code: int) -> JSON:
    return {"T": "error", "code": code, "msg": ERRORS[code]}


def quote(row: JSON) -> JSON:
    return {"T": "q", "S": row["symbol"], **shapes.alpaca_quote(row)}


def trade(row: JSON) -> JSON:
    return {"T": "t", "S": row["symbol"], **shapes.alpaca_trade(row)}


def bar(kind: str, symbol: str, row: JSON) -> JSON:
    """`kind`: b a finished minute, u one that changed later, d the day so far. What the stream of bars does
    not say is null."""
    at = clock.rfc3339(row["t"] * clock.NS_PER_S)
    return {"T": kind, "S": symbol, "t": at, **{name: row[name] for name in "ohlcv"}, "n": None, "vw": None}


class Minutes:
    """Bars of a minute are told when the next one begins, as theirs are."""

    def __init__(self) -> None:
        self._forming: dict[str, JSON] = {}

    def begin(self, symbol: str, bars: list[JSON]) -> None:
        if bars:
            self._forming[symbol] = bars[-1]

    def told(self, symbol: str, row: JSON) -> Iterator[JSON]:
        forming = self._forming.get(symbol)
        if forming is not None and row["t"] < forming["t"]:
            yield bar("u", symbol, row)
            return
        if forming is not None and row["t"] > forming["t"]:
            yield bar("b", symbol, forming)
        self._forming[symbol] = row


class TradeUpdates:
    """From the messages of a portfolio's stream to `trade_updates`. Knows the terms of each order as they
    were said last: an order that is open and says others has been replaced (it keeps its id here)."""

    def __init__(self, orders: list[JSON], positions: list[JSON]):
        self._terms = {order["id"]: _terms(order) for order in orders}
        self._held = {row["symbol"]: row["qty"] for row in positions}

    def told(self, body: Mapping[str, Any]) -> Iterator[JSON]:
        self._held |= {row["symbol"]: row["qty"] for row in body["positions"]}
        fills: dict[str, list[JSON]] = {}
        for fill in body["fills"]:
            fills.setdefault(fill["order_id"], []).append(fill)
        for order in body["orders"]:
            former = self._terms.get(order["id"])
            self._terms[order["id"]] = _terms(order)
            yield from self._of(order, former, fills.get(order["id"], []))

    def _of(self, order: JSON, former: tuple[Any, ...] | None, fills: list[JSON]) -> Iterator[JSON]:
        if former is None and order["status"] != "rejected":
            yield _update("new", order, order["submitted_at"])
        elif former is not None and former != _terms(order):
            yield _update("replaced", order, order["updated_at"])
        for fill in fills:
            last = fill is fills[-1] and order["status"] == "filled"
            held = self._held.get(order["symbol"], "0")
            what = {"price": fill["price"], "qty": fill["qty"], "position_qty": held}
            yield _update("fill" if last else "partial_fill", order, fill["at"]) | what
        if order["status"] in ENDED:
            del self._terms[order["id"]]
            yield _update(order["status"], order, order["updated_at"])
        elif order["status"] == "filled":
            del self._terms[order["id"]]


def _terms(order: JSON) -> tuple[Any, ...]:
    return tuple(order[name] for name in TERMS)


def _update(event: str, order: JSON, at: str) -> JSON:
    return {"event": event, "timestamp": at, "order": order}
