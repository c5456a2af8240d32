"""OKX v5 over its public WebSocket: `books` (400 levels, then changes every 100 ms) and `trades`.

https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel: a change fits when
its `prevSeqId` is the last `seqId`; equal ids are a sign of life; an id may step down after maintenance.
The `checksum` is 0 on every frame today and says nothing. A connection that is silent for 30 s is cut
unless the text `ping` was sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Literal

import msgspec

from market.sources.base import HistoryAway, PastBar
from market.sources.binance_book import Symbol
from market.sources.items import NOT_UNDERSTOOD, Gap, Malformed
from market.sources.ladder import Ladder
from market.sources.live.websocket import Acknowledged, Again, Fault, Heard, Refused, WebSocketVenue, nothing
from market.ticks import Print, Quote
from simgame.kernel.clock import NS_PER_MS

NAME = "okx"
ADDRESS = "wss://ws.okx.com:8443/ws/v5/public"
REST_ADDRESS = "https://www.okx.com"
BARS = {"1m": "1m", "5m": "5m", "15m": "15m", "1h": "1H", "1d": "1Dutc"}
CANDLES_MAX = 300  # in one answer; the last 1,440 of an interval are kept
CHANNELS = ("books", "trades")
NEW_CHAIN = -1  # prevSeqId of a snapshot


class OkxSource(WebSocketVenue):
    name = NAME
    keeps_history = True
    batch_size = 50

    def __init__(
        self, symbols: Iterable[Symbol], address: str = ADDRESS, rest_address: str = REST_ADDRESS, **more: Any
    ):
        self.symbols = {symbol.name: symbol for symbol in symbols}
        super().__init__(self.symbols, address, rest_address, **more)

    async def past_bars(self, symbol: str, interval: str, first: int, last: int) -> list[PastBar]:
        """GET /api/v5/market/candles, the newest first; it does not say of how many trades (`prints` 0)."""
        listed, bars = self.symbols[symbol], dict[int, PastBar]()
        before_ms, after_ms = first * 1_000 - 1, last * 1_000 + 1  # both are left out
        while True:
            query = {"instId": instrument_id(listed), "bar": BARS[interval], "limit": CANDLES_MAX}
            query |= {"before": before_ms, "after": after_ms}
            said = await self.history_of("/api/v5/market/candles", query)
            try:
                if said["code"] != "0":
                    raise HistoryAway(f"candles: {said['code']} {said.get('msg', '')}"[:200])
                rows = [(int(row[0]), _past_bar(listed, interval, row)) for row in said["data"]]
            except NOT_UNDERSTOOD as error:
                raise HistoryAway(f"the bars of {symbol} cannot be read: {error}") from error
            bars.update((bar.start, bar) for _, bar in rows if bar.closed)
            oldest_ms = min((at_ms for at_ms, _ in rows), default=before_ms)
            if len(rows) < CANDLES_MAX or not before_ms < oldest_ms < after_ms:
                return [bars[start] for start in sorted(bars)]
            after_ms = oldest_ms

    def dialect(self) -> OkxDialect:
        return OkxDialect(self.symbols)


def instrument_id(symbol: Symbol) -> str:
    """What OKX calls it: BTCUSDT is BTC-USDT there."""
    return f"{symbol.base_asset}-{symbol.quote_asset}" if symbol.base_asset else symbol.name


def _past_bar(listed: Symbol, interval: str, row: list[str]) -> PastBar:
    """[ts, o, h, l, c, vol, volCcy, volCcyQuote, confirm]: of spot, vol counts the base currency."""
    opened, high, low, close = [listed.price(price) for price in row[1:5]]
    turnover = int(Decimal(row[7]).scaleb(listed.price_exponent + listed.qty_exponent))
    said = (opened, high, low, close, listed.rounded_size(row[5]), turnover, 0)
    return PastBar(listed.name, interval, int(row[0]) // 1_000, *said, closed=row[8] == "1")


class OkxBook:
    """One instrument's book, followed by sequence ids."""

    def __init__(self, symbol: Symbol):
        self.symbol = symbol
        self.bids, self.asks = Ladder(bids=True), Ladder(bids=False)
        self.last_id: int | None = None  # None: nothing is known until a snapshot
        self.count = 0  # of changes: ids may step down, numbers may not

    def begin(self, row: dict[str, Any]) -> None:
        self.bids, self.asks = Ladder(bids=True), Ladder(bids=False)
        self._apply(row)

    def change(self, row: dict[str, Any]) -> bool:
        """False: something is missing; nothing changed, and nothing is known any more."""
        if row["prevSeqId"] != self.last_id:
            self.last_id = None
            return False
        self._apply(row)
        return True

    def _apply(self, row: dict[str, Any]) -> None:
        for side, levels in ((self.bids, row["bids"]), (self.asks, row["asks"])):
            for price, size in self.symbol.levels([level[:2] for level in levels]):
                side.put(price, size)
        self.last_id = row["seqId"]
        self.count += 1

    def quote(self, at_ns: int, received_ns: int) -> Quote:
        return Quote(
            self.symbol.name,
            self.bids.best(),
            self.asks.best(),
            at_ns,
            received_ns,
            NAME,
            source_seq=self.count,
        )


class OkxDialect:
    def __init__(self, symbols: dict[str, Symbol]):
        self._ids = {name: instrument_id(symbol) for name, symbol in symbols.items()}
        self._books = {self._ids[name]: OkxBook(symbol) for name, symbol in symbols.items()}
        self._trades: dict[str, int] = {}

    def subscribe(self, symbols: Sequence[str]) -> str:
        return self._request("subscribe", symbols)

    def unsubscribe(self, symbols: Sequence[str]) -> str:
        return self._request("unsubscribe", symbols)

    def _request(self, op: str, symbols: Sequence[str]) -> str:
        rows = [
            {"channel": channel, "instId": self._ids[symbol]} for symbol in symbols for channel in CHANNELS
        ]
        return json.dumps({"op": op, "args": rows})

    def ping(self) -> str:
        return "ping"

    def snapshot_path(self, symbol: str) -> str:
        return ""  # the channel begins with one

    def snapshot(self, symbol: str, body: Any, received_ns: int) -> Iterable[Heard]:
        return nothing()

    def read(self, frame: str | bytes, received_ns: int) -> Iterable[Heard]:
        if frame in ("pong", b"pong"):
            return
        try:
            yield from self._meaning(msgspec.json.decode(frame), received_ns)
        except NOT_UNDERSTOOD as error:
            yield Malformed(NAME, "unreadable_message", f"{error}: {str(frame)[:500]}")

    def _meaning(self, body: dict[str, Any], received_ns: int) -> Iterator[Heard]:
        if "event" in body:
            yield from self._event(body)
            return
        name, channel = body["arg"]["instId"], body["arg"]["channel"]
        if name not in self._books:
            return
        for row in body["data"]:
            if channel == "books":
                yield from self._depth(self._books[name], body.get("action"), row, received_ns)
            elif channel == "trades":
                yield from self._trade(self._books[name].symbol, row, received_ns)

    def _event(self, body: dict[str, Any]) -> Iterator[Heard]:
        match body["event"]:
            case "subscribe" if body["arg"]["channel"] == CHANNELS[0]:
                yield Acknowledged(self._named(body["arg"]["instId"]))
            case "error":
                words = f"{body.get('code')} {body.get('msg')}"
                if named := tuple(
                    name for name in self._books if f":{name} " in f"{words} ".replace(",", " ")
                ):
                    yield Refused(self._named(*named), words)
                else:
                    yield Fault("venue_error", words)
            case "notice":
                yield Fault("venue_restart", f"{body.get('code')} {body.get('msg')}")

    def _named(self, *ids: str) -> tuple[str, ...]:
        return tuple(self._books[one].symbol.name for one in ids if one in self._books)

    def _depth(
        self, book: OkxBook, action: str | None, row: dict[str, Any], received_ns: int
    ) -> Iterator[Heard]:
        at_ns = int(row["ts"]) * NS_PER_MS
        if action == "snapshot":
            book.begin(row)
        elif book.last_id is None:
            return  # a gap was told, the new snapshot is on its way
        elif not book.change(row):
            yield Gap(NAME, book.symbol.name, at_ns)
            yield Again((book.symbol.name,))
            return
        yield book.quote(at_ns, received_ns)

    def _trade(self, symbol: Symbol, row: dict[str, Any], received_ns: int) -> Iterator[Heard]:
        number, at_ns = int(row["tradeId"]), int(row["ts"]) * NS_PER_MS
        before = self._trades.get(symbol.name, 0)
        if number <= before:
            return  # said already
        self._trades[symbol.name] = number
        side: Literal["buy", "sell"] = "buy" if row["side"] == "buy" else "sell"
        price, size = symbol.price(row["px"]), symbol.size(row["sz"])
        yield Print(symbol.name, price, size, side, at_ns, received_ns, NAME, source_seq=number)
