"""Binance spot over its public WebSocket: depth@100ms followed by update ids, and aggTrade.

https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams: a connection lives 24
hours, carries at most 1,024 streams and takes 5 messages a second; the venue announces a restart with
`serverShutdown`. Books begin with a REST snapshot, one after another: asked for all at once they ban us.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Literal

import msgspec

from market.sources.base import HistoryAway, PastBar
from market.sources.binance_book import Book, Symbol, Update, check_span
from market.sources.items import NOT_UNDERSTOOD, Gap, Malformed
from market.sources.live.websocket import (
    Acknowledged,
    Fault,
    Heard,
    Refused,
    SnapshotWanted,
    WebSocketVenue,
)
from market.ticks import Print
from simgame.kernel import money
from simgame.kernel.clock import NS_PER_MS

NAME = "binance"
ADDRESS = "wss://stream.binance.com:9443/stream"
REST_ADDRESS = "https://api.binance.com"
STREAMS = ("depth@100ms", "aggTrade")
JUMP_MAX = 10**8  # trades between two that we hear: believing more would make all true ones late
KLINES_MAX = 1_000
SNAPSHOT_LEVELS = 1000  # weight 50 of 6,000 a minute
decode = msgspec.json.Decoder().decode


class Trade(msgspec.Struct, frozen=True, gc=False, tag_field="e", tag="aggTrade"):
    s: str
    a: int
    p: str
    q: str
    T: int
    m: bool


class Depth(msgspec.Struct, frozen=True, gc=False, tag_field="e", tag="depthUpdate"):
    s: str
    E: int
    U: int
    u: int
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]
    pu: int | None = None


class Stream(msgspec.Struct, frozen=True, gc=False):
    """Nearly every message there is, and as it should be: all others are read by hand."""

    data: Trade | Depth


decode_stream = msgspec.json.Decoder(Stream).decode


class BinanceSource(WebSocketVenue):
    name = NAME
    keeps_history = True
    batch_size = 100  # 200 streams in one request
    batch_pause_s = 0.25  # 5 messages a second are allowed, pings and pongs among them

    def __init__(
        self, symbols: Iterable[Symbol], address: str = ADDRESS, rest_address: str = REST_ADDRESS, **more: Any
    ):
        self.symbols = {symbol.name: symbol for symbol in symbols}
        self._trades: dict[str, int] = {}  # of all connections: what went by between two is named exactly
        super().__init__(self.symbols, address, rest_address, **more)

    async def past_bars(self, symbol: str, interval: str, first: int, last: int) -> list[PastBar]:
        """GET /api/v3/klines, weight 2. `prints` counts trades, where the stream counts them by order."""
        listed = self.symbols[symbol]
        query = {"symbol": symbol, "interval": interval, "startTime": first * 1_000, "endTime": last * 1_000}
        rows = await self.history_of("/api/v3/klines", {**query, "limit": KLINES_MAX})
        if not isinstance(rows, list):
            raise HistoryAway(f"klines: {str(rows)[:200]}")
        try:
            return [_past_bar(listed, interval, row) for row in rows]
        except NOT_UNDERSTOOD as error:
            raise HistoryAway(f"the bars of {symbol} cannot be read: {error}") from error

    def dialect(self) -> BinanceDialect:
        return BinanceDialect(self.symbols, self._trades, self.epoch)


def _past_bar(listed: Symbol, interval: str, row: list[Any]) -> PastBar:
    start, (opened, high, low, close) = row[0] // 1_000, [listed.price(price) for price in row[1:5]]
    volume = listed.rounded_size(row[5])
    turnover = int(Decimal(row[7]).scaleb(listed.price_exponent + listed.qty_exponent))
    return PastBar(listed.name, interval, start, opened, high, low, close, volume, turnover, row[8])


class BinanceDialect:
    def __init__(self, symbols: dict[str, Symbol], trades: dict[str, int] | None = None, epoch: int = 0):
        """`trades`: the number of each symbol's last trade, kept from the connection before `epoch`."""
        self.epoch = epoch
        self._books = {name: Book(symbol, NAME, epoch) for name, symbol in symbols.items()}
        self._asked: dict[int, tuple[str, ...]] = {}  # request → symbols
        self._awaiting: set[str] = set()  # books whose snapshot is on its way
        self._trades = {} if trades is None else trades
        self._requests = 0

    def subscribe(self, symbols: Sequence[str]) -> str:
        return self._request("SUBSCRIBE", symbols)

    def unsubscribe(self, symbols: Sequence[str]) -> str:
        return self._request("UNSUBSCRIBE", symbols)

    def _request(self, method: str, symbols: Sequence[str]) -> str:
        self._requests += 1
        if method == "SUBSCRIBE":
            self._asked[self._requests] = tuple(symbols)
        streams = [f"{symbol.lower()}@{stream}" for symbol in symbols for stream in STREAMS]
        return json.dumps({"method": method, "params": streams, "id": self._requests})

    def ping(self) -> None:
        return None  # the venue pings by the protocol

    def snapshot_path(self, symbol: str) -> str:
        return f"/api/v3/depth?symbol={symbol}&limit={SNAPSHOT_LEVELS}"

    def snapshot(self, symbol: str, body: Any, received_ns: int) -> Iterable[Heard]:
        self._awaiting.discard(symbol)
        try:
            yield from self._books[symbol].snapshot(body, received_ns)
        except NOT_UNDERSTOOD as error:
            yield Malformed(NAME, "unreadable_snapshot", str(body)[:500], symbol)
            yield Fault("snapshot", f"the snapshot of {symbol} cannot be read: {error}")

    def read(self, frame: str | bytes, received_ns: int) -> Iterable[Heard]:
        try:
            data = decode_stream(frame).data
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            return self._read_by_hand(frame, received_ns)
        if data.s not in self._books:
            return ()
        try:
            if type(data) is Trade:
                return self._trade(data, received_ns)
            return self._depth(data, received_ns)  # type: ignore[arg-type]
        except NOT_UNDERSTOOD as error:
            return (_unreadable(frame, error),)

    def _read_by_hand(self, frame: str | bytes, received_ns: int) -> Iterable[Heard]:
        try:
            return list(self._meaning(decode(frame), received_ns))
        except NOT_UNDERSTOOD as error:
            return (_unreadable(frame, error),)

    def _meaning(self, body: dict[str, Any], received_ns: int) -> Iterator[Heard]:
        if "id" in body:
            yield from self._answer(body)
            return
        data = body.get("data", body)
        match data.get("e"):
            case "depthUpdate" if data["s"] in self._books:
                yield from self._change(data["s"], Update.of(data), received_ns)
            case "aggTrade" if data["s"] in self._books:
                trade = Trade(data["s"], int(data["a"]), data["p"], data["q"], int(data["T"]), data["m"])
                yield from self._trade(trade, received_ns)
            case "serverShutdown":
                yield Fault("venue_restart", "the venue announced its restart")

    def _answer(self, body: dict[str, Any]) -> Iterator[Heard]:
        symbols = self._asked.pop(body["id"], ())
        if not symbols:
            return
        if error := body.get("error"):
            yield Refused(symbols, f"{error.get('code')} {error.get('msg')}")
            return
        yield Acknowledged(symbols)
        for symbol in symbols:
            yield from self._ask(symbol)

    def _depth(self, data: Depth, received_ns: int) -> list[Heard]:
        check_span(data.U, data.u)
        update = Update(data.U, data.u, data.pu, data.E * NS_PER_MS, data.b, data.a)
        return self._change(data.s, update, received_ns)

    def _change(self, name: str, update: Update, received_ns: int) -> list[Heard]:
        book = self._books[name]
        heard: list[Heard] = list(book.update(update, received_ns))
        if not book.last_id:  # nothing is known of it, or not any more
            heard += self._ask(name)
        return heard

    def _ask(self, symbol: str) -> Iterator[Heard]:
        if symbol not in self._awaiting:
            self._awaiting.add(symbol)
            yield SnapshotWanted(symbol)

    def _trade(self, data: Trade, received_ns: int) -> list[Heard]:
        symbol, number = self._books[data.s].symbol, data.a
        at_ns = data.T * NS_PER_MS
        before = self._trades.get(symbol.name, number - 1)
        if not 0 < number <= min(before + JUMP_MAX, money.INT64_MAX):
            raise ValueError(f"{number} is no number of a trade after {before}")
        side: Literal["buy", "sell"] = "sell" if data.m else "buy"  # m: the buyer was resting
        price, size = symbol.price(data.p), symbol.size(data.q)
        # From here it must succeed.
        said = Print(symbol.name, price, size, side, at_ns, received_ns, NAME, self.epoch, number)
        self._trades[symbol.name] = max(number, before)
        if number > before + 1:
            return [Gap(NAME, symbol.name, at_ns, before + 1, number - 1), said]
        return [said]


def _unreadable(frame: str | bytes, error: Exception) -> Malformed:
    return Malformed(NAME, "unreadable_message", f"{error}: {str(frame)[:500]}")
