"""A CTP front of the tests: JSON lines for `tests.venues.ctp_library`, faults as in crypto.py.

`/control` answers with `front`, the port to connect to, too. CTP's ticks are whole states without
numbers: there is nothing to `skip`, and what is said twice is only known by its content. On a weekend's
night in China no tick can say what time it is: then the front's clock is some days behind (`behind_ns`).
"""

from __future__ import annotations

import asyncio
import json
from datetime import date, timedelta
from typing import Any

from market.sources.ctp.ticks import calendar_day
from simgame.kernel import clock
from tests.venues.crypto import Book, Exchange, main

DAY_NS = 86_400 * clock.NS_PER_S
CHINA_NS = 8 * 3600 * clock.NS_PER_S
LEVELS = range(1, 6)


class Front(Exchange):
    def __init__(self) -> None:
        super().__init__()
        self.port = 0

    async def run(self) -> None:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        await super().run()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.down:
            writer.close()
            return
        self.sockets[writer] = set()  # type: ignore[index]
        await self.send(writer, said("connected"))  # type: ignore[arg-type]
        try:
            async for line in reader:
                await self.obey(writer, json.loads(line))
        finally:
            self.sockets.pop(writer, None)  # type: ignore[call-overload]

    async def send(self, socket: Any, frame: str) -> None:
        try:
            socket.write(frame.encode() + b"\n")
            await socket.drain()
        except (ConnectionError, RuntimeError):
            self.sockets.pop(socket, None)

    async def obey(self, socket: Any, request: dict[str, Any]) -> None:
        if request["do"] == "login":
            if not self.muted:
                await self.send(socket, said("login"))
            return
        self.asked += 1
        if self.forgetful:
            self.forgetful = False
            return
        for symbol in request["ids"]:
            if request["do"] == "unsubscribe":
                self.sockets[socket].discard(symbol)
            elif symbol in self.denied:
                await self.send(socket, said("acknowledge", id=symbol, code=16, words="CTP:找不到合约"))
            else:
                await self.send(socket, said("acknowledge", id=symbol))
                self.sockets[socket].add(symbol)

    def change(self, book: Book) -> str:
        book.change()
        return self._tick(book)

    def trade(self, book: Book) -> str:
        book.trades += 3
        return self._tick(book)

    def _tick(self, book: Book) -> str:
        fields: dict[str, Any] = {"LastPrice": book.middle / 100, "Volume": book.trades, "Turnover": 1.0}
        for side, name in (("b", "Bid"), ("a", "Ask")):
            levels = sorted(book.sides[side].items(), reverse=side == "b")
            for n in LEVELS:
                price, size = levels[n - 1]
                fields |= {f"{name}Price{n}": price / 100, f"{name}Volume{n}": size}
        return said("tick", fields=stamped(book.symbol) | fields)

    def _control(self, query: dict[str, str]) -> dict[str, Any]:
        if query.get("do") == "junk":
            query = {
                **query,
                "text": said("tick", fields={"InstrumentID": query["symbol"], "Volume": query["text"]}),
            }
        return super()._control(query) | {"front": self.port}


def stamped(symbol: str) -> dict[str, Any]:
    """Whose tick, and when: by the front's clock, in China."""
    now = clock.from_ns(clock.now_ns() + CHINA_NS - behind_ns())
    return {
        "InstrumentID": symbol,
        "ExchangeID": "",
        "TradingDay": f"{trading_day(now.date(), now.time()):%Y%m%d}",
        "ActionDay": f"{now:%Y%m%d}",
        "UpdateTime": f"{now:%H:%M:%S}",
        "UpdateMillisec": now.microsecond // 1000,
    }


def behind_ns() -> int:
    """Whole days since a tick could last say this time of day; 0 nearly always."""
    now = clock.from_ns(clock.now_ns() + CHINA_NS)
    for days in range(15):
        then = now.date() - timedelta(days=days)
        if calendar_day(trading_day(then, now.time()), now.time()) == then:
            return days * DAY_NS
    raise AssertionError("no trading day in two weeks")


def trading_day(today: date, moment: Any) -> date:
    """The trading day whose tick comes now: in the evening it is the next one."""
    days = (today + timedelta(days=n) for n in range(15))
    return next((day for day in days if calendar_day(day, moment) == today), today)


def said(do: str, **more: Any) -> str:
    return json.dumps({"do": do, **more})


if __name__ == "__main__":
    main(Front())
