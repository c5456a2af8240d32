"""An OKX of the tests: public WebSocket with `books` and `trades`, candles; faults as in crypto.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from websockets.asyncio.server import ServerConnection

from tests.venues.binance import now_ms
from tests.venues.crypto import Book, Exchange, main


class Okx(Exchange):
    def __init__(self) -> None:
        super().__init__()
        self.ids: dict[str, str] = {}  # symbol → as it was asked for

    async def obey(self, socket: ServerConnection, request: dict[str, Any]) -> None:
        for row in request["args"]:
            symbol = row["instId"].replace("-", "")  # both ways of writing it
            self.ids[symbol] = row["instId"]
            if request["op"] == "unsubscribe":
                self.sockets[socket].discard(symbol)
            elif symbol in self.denied or symbol not in self.books:
                words = f"Wrong URL or channel:{row['channel']},instId:{symbol} doesn't exist."
                await self.send(socket, json.dumps({"event": "error", "code": "60018", "msg": words}))
                continue
            await self.send(socket, json.dumps({"event": request["op"], "arg": row, "connId": "a1"}))
            if request["op"] == "subscribe" and row["channel"] == "books":
                await self._begin(socket, self.books[symbol])

    async def _begin(self, socket: ServerConnection, book: Book) -> None:
        await self.send(socket, self._books(book, "snapshot", book.levels("b"), book.levels("a"), -1))
        self.sockets[socket].add(book.symbol)

    def _books(self, book: Book, action: str, bids: list[Any], asks: list[Any], before: int) -> str:
        row = {
            "bids": [[price, size, "0", "1"] for price, size in bids],
            "asks": [[price, size, "0", "1"] for price, size in asks],
            "ts": str(now_ms()),
            "checksum": 0,
            "seqId": book.last_id,
            "prevSeqId": before,
        }
        arg = {"channel": "books", "instId": self.ids.get(book.symbol, book.symbol)}
        return json.dumps({"arg": arg, "action": action, "data": [row]})

    def rest(self, path: str, query: dict[str, str]) -> Any:
        if path != "/api/v5/market/candles":
            return None
        if query["instId"].replace("-", "") not in self.books:
            return {"code": "51001", "msg": "Instrument ID doesn't exist.", "data": []}
        return {"code": "0", "msg": "", "data": list(candles(query))}

    def change(self, book: Book) -> str:
        before = book.last_id
        levels = book.change()
        return self._books(book, "update", levels["b"], levels["a"], before)

    def trade(self, book: Book) -> str:
        book.trades += 1
        price = book.levels("a")[0][0]
        row = {
            "instId": self.ids.get(book.symbol, book.symbol),
            "tradeId": str(book.trades),
            "px": price,
            "sz": "3",
        }
        more = {"side": "buy", "ts": str(now_ms()), "count": "1"}
        return json.dumps(
            {
                "arg": {"channel": "trades", "instId": self.ids.get(book.symbol, book.symbol)},
                "data": [row | more],
            }
        )


def candles(query: dict[str, str]) -> Iterator[list[str]]:
    """One a minute between `before` and `after`, the newest first and at most `limit`; now's is not over."""
    minute, now = 60_000, now_ms()
    newest = (min(int(query["after"]) - 1, now)) // minute * minute
    for start in islice(range(newest, int(query["before"]), -minute), int(query["limit"])):
        over = "1" if start + minute <= now else "0"
        yield [str(start), "10.00", "10.50", "10.00", "10.50", "7", "72", "72.00", over]


if __name__ == "__main__":
    main(Okx())
