"""What a venue that is asked over HTTP must say of itself. A dialect is pure; it lives in the feed.

A worker only carries: it sends the request that the dialect wrote and brings the body back whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from market.sources.items import Number, RawPrint, RawQuote


class Request(msgspec.Struct, frozen=True):
    """One HTTP request. `api` names the budget it is taken from; `secret` tells the worker which
    account's token to put where the text has `{token}`: no secret ever travels through the broker.
    """

    api: str
    url: str
    headers: dict[str, str] = {}
    body: str = ""  # "": GET
    secret: str = ""


class Answer(msgspec.Struct, frozen=True):
    """What a worker brought back. `error` is a word: http_503, timeout, no_budget …; `wait_s` its advice."""

    number: int
    body: bytes = b""
    error: str = ""
    text: str = ""
    wait_s: float = 0.0
    received_ns: int = 0


class Unknown(msgspec.Struct, frozen=True):
    """The venue does not know these."""

    symbols: tuple[str, ...]


class Denied(Exception):
    """The venue refused the request. reason: rate | permission | login | bad_request | transient."""

    def __init__(self, reason: str, text: str, wait_s: float = 0.0):
        super().__init__(text)
        self.reason, self.wait_s = reason, wait_s


Said = RawQuote | RawPrint | Unknown


class Dialect(Protocol):
    name: str
    most: int  # symbols in one request

    def request(self, symbols: Sequence[str]) -> Request: ...

    def read(self, symbols: Sequence[str], body: bytes, received_ns: int) -> Iterable[Said]:
        """Raises Denied when the venue refused, ValueError when it cannot be read."""


class DayVolume:
    """A venue that tells the day's volume tells trades by its growth."""

    def __init__(self) -> None:
        self._heads: dict[str, tuple[str, int]] = {}

    def grown(self, symbol: str, day: str, volume: int) -> int:
        """How much was traded since the last look; 0 at the first one of a day and when it shrank."""
        before = self._heads.get(symbol)
        self._heads[symbol] = (day, volume)
        if before is None or before[0] != day:
            return 0
        return max(0, volume - before[1])


def taker(price: Number, bid: Number, ask: Number) -> str:
    """Who took, by the quote: at the ask a buyer, at the bid a seller, else nobody knows."""
    if price == ask and price != bid:
        return "buy"
    return "sell" if price == bid and price != ask else ""
