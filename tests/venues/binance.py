"""A Binance of the tests: /stream, /api/v3/depth and klines; faults as in crypto.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from websockets.asyncio.server import ServerConnection

from simgame.kernel import clock
from tests.venues.crypto import Book, Exchange, main


class Binance(Exchange):
    async def obey(self, socket: ServerConnection, request: dict[str, Any]) -> None:
        symbols = {stream.partition("@")[0].upper() for stream in request["params"]}
        if wrong := symbols & self.denied:
            error = {"code": 2, "msg": f"Invalid request: unknown stream {min(wrong)}"}
            await self.send(socket, json.dumps({"error": error, "id": request["id"]}))
            return
        if request["method"] == "SUBSCRIBE":
            self.sockets[socket] |= symbols
        else:
            self.sockets[socket] -= symbols
        await self.send(socket, json.dumps({"result": None, "id": request["id"]}))

    def change(self, book: Book) -> str:
        levels = book.change()
        row = {"e": "depthUpdate", "E": now_ms(), "s": book.symbol, "U": book.last_id, "u": book.last_id}
        return json.dumps({"stream": f"{book.symbol.lower()}@depth@100ms", "data": row | levels})

    def trade(self, book: Book) -> str:
        book.trades += 1
        price = book.levels("a")[0][0]
        row = {"e": "aggTrade", "E": now_ms(), "T": now_ms(), "s": book.symbol, "a": book.trades}
        more = {"p": price, "q": "3", "m": False}
        return json.dumps({"stream": f"{book.symbol.lower()}@aggTrade", "data": row | more})

    def rest(self, path: str, query: dict[str, str]) -> Any:
        if path == "/api/v3/exchangeInfo":
            return {"symbols": [listed(name) for name in json.loads(query["symbols"])]}
        if path == "/api/v3/klines":
            return list(klines(query))
        if path != "/api/v3/depth":
            return None
        book = self.books[query["symbol"]]
        return {"lastUpdateId": book.last_id, "bids": book.levels("b"), "asks": book.levels("a")}


def listed(name: str) -> dict[str, Any]:
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "stepSize": "1.00000000"},
    ]
    return {"symbol": name, "baseAsset": name.removesuffix("USDT"), "quoteAsset": "USDT", "filters": filters}


def klines(query: dict[str, str]) -> Iterator[list[Any]]:
    """One bar per minute, each of two trades: 3 at 10.00, 4 at 10.50."""
    minute = 60_000
    for start in range(int(query["startTime"]), int(query["endTime"]) + 1, minute):
        prices = ["10.00000000", "10.50000000", "10.00000000", "10.50000000"]
        yield [start, *prices, "7.00000000", start + minute - 1, "72.00000000", 2, "4.0", "42.0", "0"]


def now_ms() -> int:
    return clock.now_ns() // clock.NS_PER_MS


if __name__ == "__main__":
    main(Binance())
