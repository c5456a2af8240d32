"""What a Binance and an OKX of the tests share: books that change, sockets, faults on request.

`/control?do=…` (all answer `{"sockets": n, "subscribed": [...], "asked": n}`):
    status
    drop            close every socket without a word
    mute / unmute   go on reading, say nothing (a frozen venue)
    down / up       refuse new connections (HTTP 503), drop those that stand
    skip            leave one change of `symbol`'s book out
    repeat          say the last change of `symbol` again
    junk            say something that is no message
    deny / allow    refuse subscriptions to `symbol`
    forget          do not answer the next subscription request
    burst           `count` changes and trades at once
    reset           all is well again, nobody is connected: the next test begins
"""

from __future__ import annotations

import abc
import asyncio
import json
import random
import sys
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Request, Response, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed

SYMBOLS = [f"COIN{n}USDT" for n in range(20)]
PACE_S = 0.02


class Book:
    """Ten levels a side around a price that wanders; `change` gives absolute sizes."""

    def __init__(self, symbol: str):
        self.symbol = symbol
        self.chance = random.Random(symbol)
        self.middle = self.chance.randrange(5_000, 50_000)  # cents
        self.sides: dict[str, dict[int, int]] = {"b": {}, "a": {}}
        self.last_id = 100
        self.trades = 1_000
        self._settle()

    def _settle(self) -> None:
        for n in range(1, 11):
            self.sides["b"].setdefault(self.middle - n, self.chance.randrange(1, 500))
            self.sides["a"].setdefault(self.middle + n, self.chance.randrange(1, 500))

    def change(self) -> dict[str, list[list[str]]]:
        """Absolute sizes of what changed; 0 removes."""
        before = {side: dict(levels) for side, levels in self.sides.items()}
        self.middle += self.chance.choice((-1, 0, 0, 1))
        self.sides["b"] = {p: q for p, q in self.sides["b"].items() if self.middle - 10 <= p < self.middle}
        self.sides["a"] = {p: q for p, q in self.sides["a"].items() if self.middle < p <= self.middle + 10}
        self._settle()
        for levels in self.sides.values():
            levels[self.chance.choice(list(levels))] = self.chance.randrange(1, 500)
        self.last_id += 1
        return {
            side: [
                [money(price), str(after.get(price, 0))]
                for price in sorted(before[side].keys() | after.keys())
                if before[side].get(price) != after.get(price)
            ]
            for side, after in self.sides.items()
        }

    def levels(self, side: str) -> list[list[str]]:
        rows = sorted(self.sides[side].items(), reverse=side == "b")
        return [[money(price), str(size)] for price, size in rows]


def money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


class Exchange(abc.ABC):
    def __init__(self) -> None:
        self.books = {symbol: Book(symbol) for symbol in SYMBOLS}
        self.sockets: dict[ServerConnection, set[str]] = {}
        self.muted = self.down = self.forgetful = False
        self.denied: set[str] = set()
        self.asked = 0
        self.last: dict[str, str] = {}

    # --- what a venue's own language says ----------------------------------------------------------

    @abc.abstractmethod
    async def obey(self, socket: ServerConnection, request: dict[str, Any]) -> None: ...

    @abc.abstractmethod
    def change(self, book: Book) -> str: ...

    @abc.abstractmethod
    def trade(self, book: Book) -> str: ...

    def rest(self, path: str, query: dict[str, str]) -> Any:
        return None

    # --- serving -------------------------------------------------------------------------------------

    async def run(self) -> None:
        async with serve(self._talk, "127.0.0.1", 0, process_request=self._process) as server:
            host, port = server.sockets[0].getsockname()[:2]
            print(f"{host}:{port}", flush=True)
            while True:
                await asyncio.sleep(PACE_S)
                for symbol in self.books:
                    await self._live(symbol)

    async def _live(self, symbol: str) -> None:
        book = self.books[symbol]
        await self._tell(symbol, self.change(book))
        if book.chance.random() < 0.2:
            await self._tell(symbol, self.trade(book))

    async def _tell(self, symbol: str, frame: str) -> None:
        self.last[symbol] = frame
        if not self.muted:
            for socket, subscribed in list(self.sockets.items()):
                if symbol in subscribed:
                    await self.send(socket, frame)

    async def send(self, socket: ServerConnection, frame: str) -> None:
        try:
            await socket.send(frame)
        except ConnectionClosed:
            self.sockets.pop(socket, None)

    async def _talk(self, socket: ServerConnection) -> None:
        self.sockets[socket] = set()
        try:
            async for frame in socket:
                if frame == "ping":
                    if not self.muted:
                        await socket.send("pong")
                    continue
                self.asked += 1
                if self.forgetful:
                    self.forgetful = False
                    continue
                await self.obey(socket, json.loads(frame))
        except ConnectionClosed:
            return
        finally:
            self.sockets.pop(socket, None)

    def _process(self, connection: ServerConnection, request: Request) -> Response | None:
        parts = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/control":
            return answer(self._control(query))
        if self.down:
            return answer({"down": True}, HTTPStatus.SERVICE_UNAVAILABLE)
        body = self.rest(parts.path, query)
        return answer(body) if body is not None else None

    def _control(self, query: dict[str, str]) -> dict[str, Any]:
        symbol = query.get("symbol", "")
        match query.get("do"):
            case "drop":
                self._drop()
            case "reset":
                self._drop()
                self.muted = self.down = self.forgetful = False
                self.denied.clear()
                self.asked = 0
            case "mute" | "unmute":
                self.muted = query["do"] == "mute"
            case "down" | "up":
                self.down = query["do"] == "down"
                if self.down:
                    self._drop()
            case "skip":
                self.change(self.books[symbol])
            case "repeat":
                asyncio.get_running_loop().create_task(self._tell(symbol, self.last[symbol]))
            case "junk":
                asyncio.get_running_loop().create_task(self._tell(symbol, query.get("text", "{nonsense")))
            case "deny":
                self.denied.add(symbol)
            case "allow":
                self.denied.discard(symbol)
            case "forget":
                self.forgetful = True
            case "burst":
                asyncio.get_running_loop().create_task(self._burst(int(query["count"])))
        subscribed = sorted(set().union(*self.sockets.values()) if self.sockets else ())
        return {"sockets": len(self.sockets), "subscribed": subscribed, "asked": self.asked}

    async def _burst(self, count: int) -> None:
        names = list(self.books)
        for n in range(count):
            await self._live(names[n % len(names)])

    def _drop(self) -> None:
        for socket in list(self.sockets):
            socket.transport.abort()
        self.sockets.clear()


def answer(body: Any, status: HTTPStatus = HTTPStatus.OK) -> Response:
    payload = json.dumps(body).encode()
    headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(payload))})
    return Response(status.value, status.phrase, headers, payload)


def main(exchange: Exchange) -> None:
    try:
        asyncio.run(exchange.run())
    except KeyboardInterrupt:
        sys.exit(0)
