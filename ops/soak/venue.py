"""A venue that says as much as it is told to, in the real protocol: a process of its own.

    python -m ops.soak.venue      (one line of JSON first: port, symbols, stamps, okx_port or 0)

Binance's public WebSocket and REST on `port`; the same market as OKX tells it on `okx_port`. Then lines of
JSON, each answered by one:

    {"do": "go", "rate": 5000}                      so many messages a second, evenly
    {"do": "burst", "count": 50000, "rate": 50000}  so many at that pace, then the former pace again
    {"do": "flood"}                                 as many as the sockets take
    {"do": "hostile", "count": 1000, "seed": 1}     what no venue should say, beside the ordinary messages
    {"do": "pause"}
    {"do": "facts"}                                 what was sent, and how late

It keeps its timetable whatever the reader does (open loop): what a reader does not take waits in the socket's
buffer; beyond BUFFER_MAX the connection is cut, as venues do with slow readers.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import sys
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from uvloop import new_event_loop
from websockets.asyncio.server import Request, Response, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from ops.soak.dialects import Binance, Okx
from ops.soak.hostile import Hostile
from ops.soak.stamps import Stamps
from ops.soak.street import Market, Trade, listed

SLICE_S = 0.002
SLICE_MAX = 1_000  # messages in one write: later ones wait for the next slice
BUFFER_MAX = 256 * 1024 * 1024
FLOOD_BUFFER = 4 * 1024 * 1024  # a flood keeps no more than this waiting
FLOOD = -1.0
NS_PER_MS = 1_000_000
Dialect = Binance | Okx


class Reader:
    """One socket, and what it asked for."""

    def __init__(self, socket: ServerConnection, dialect: Dialect):
        self.socket, self.dialect = socket, dialect
        self.symbols: set[str] = set()

    @property
    def waiting(self) -> int:
        return int(self.socket.transport.get_write_buffer_size())


class Timetable:
    """How many messages are due: `rate` a second since it was set; a burst stands in front of it."""

    def __init__(self) -> None:
        self.rate = 0.0
        self.late_ms_max = 0.0
        self._since, self._done = 0.0, 0
        self._after: tuple[int, float] | None = None  # messages left of a burst, the rate afterwards

    def set(self, rate: float, count: int = 0) -> None:
        former = self._after[1] if self._after else self.rate
        self._after = (count, former) if count else None
        self.rate, self._since, self._done = rate, time.monotonic(), 0

    def due(self) -> int:
        """Messages to send now; the caller sends them."""
        now = time.monotonic()
        due = int((now - self._since) * self.rate) - self._done
        if due > 0:
            self.late_ms_max = max(self.late_ms_max, (now - self._since - self._done / self.rate) * 1e3)
        if self._after:
            due = min(due, self._after[0])
        due = min(due, SLICE_MAX)
        self._done += due
        if self._after:
            left, former = self._after[0] - due, self._after[1]
            self._after = (left, former) if left else None
            if not left:
                self.set(former)
        return due

    @property
    def bursting(self) -> bool:
        return self._after is not None


class Venue:
    def __init__(self, symbols: list[str], stamps: Path):
        self.market = Market(symbols)
        self.stamps = Stamps(stamps, symbols)
        self.readers: dict[ServerConnection, Reader] = {}
        self.timetable = Timetable()
        self.hostile: Hostile | None = None
        self.cut_slow = self.waiting_max = self.connections = 0

    # --- saying --------------------------------------------------------------------------------------

    async def speak(self) -> None:
        while True:
            await asyncio.sleep(SLICE_S * random.uniform(0.5, 1.5))  # never in step with who reads
            rate = self.timetable.rate
            if rate == FLOOD:
                count = SLICE_MAX if self._waiting() < FLOOD_BUFFER else 0
            else:
                count = self.timetable.due() if rate else 0
            if count:
                self._say(count)
            if self.hostile and self._waiting() < FLOOD_BUFFER:
                await self._attack(self.hostile)

    def _say(self, count: int) -> None:
        """The next messages, in one write per socket."""
        now_ns = time.time_ns()
        ms, times, slot = now_ns // NS_PER_MS, self.stamps.times, self.stamps.slot
        instruments = self.market.instruments
        readers = [reader for reader in self.readers.values() if reader.symbols]
        said: list[list[bytes]] = [[] for _ in readers]
        for _ in range(count):
            place, what = self.market.next()
            one = instruments[place]
            times[slot(place, isinstance(what, Trade), what.number)] = now_ns
            for reader, frames in zip(readers, said, strict=True):
                if one.symbol in reader.symbols:
                    frames.append(reader.dialect.write(one, what, ms))
        for reader, frames in zip(readers, said, strict=True):
            self._write(reader, b"".join(frames))

    def _write(self, reader: Reader, data: bytes) -> None:
        if not data or reader.socket.state is not State.OPEN or reader.socket.transport.is_closing():
            return
        if reader.waiting > BUFFER_MAX:
            self.cut_slow += 1
            reader.socket.transport.abort()
            return
        reader.socket.transport.write(data)
        self.waiting_max = max(self.waiting_max, reader.waiting)

    async def _attack(self, hostile: Hostile) -> None:
        readers = [reader for reader in self.readers.values() if reader.symbols]
        if not readers:
            return
        data = hostile.slice(self.market, time.time_ns())
        if not hostile.left:
            self.hostile = None
        for reader in readers:
            self._write(reader, data)

    def _waiting(self) -> int:
        return max((reader.waiting for reader in self.readers.values()), default=FLOOD_BUFFER)

    # --- listening -----------------------------------------------------------------------------------

    async def talk(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        reader = Reader(socket, Okx() if socket.request.path.startswith(Okx.path) else Binance())
        self.readers[socket] = reader
        self.connections += 1
        try:
            async for text in socket:
                if text == "ping":
                    await socket.send("pong")
                    continue
                request = json.loads(text)
                verb, symbols = reader.dialect.asked(request)
                for answer in reader.dialect.answers(request, self.market.named, time.time_ns() // NS_PER_MS):
                    await socket.send(answer)
                if verb == "SUBSCRIBE":
                    reader.symbols |= symbols
                else:
                    reader.symbols -= symbols
        except ConnectionClosed:
            return
        finally:
            self.readers.pop(socket, None)

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """REST; None lets the WebSocket begin."""
        parts = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/api/v3/exchangeInfo":
            return _json({"symbols": [listed(name) for name in json.loads(query["symbols"])]})
        if parts.path == "/api/v3/depth":
            one = self.market.named[query["symbol"]]
            return _json({"lastUpdateId": one.quote, "bids": one.levels("b"), "asks": one.levels("a")})
        return None if parts.path in (Binance.path, Okx.path) else _json({}, HTTPStatus.NOT_FOUND)

    # --- obeying -------------------------------------------------------------------------------------

    def obey(self, line: str) -> dict[str, Any]:
        asked = json.loads(line)
        verbs: dict[str, Callable[[], Any]] = {
            "go": lambda: self.timetable.set(float(asked["rate"])),
            "burst": lambda: self.timetable.set(float(asked["rate"]), int(asked["count"])),
            "flood": lambda: self.timetable.set(FLOOD),
            "pause": lambda: self.timetable.set(0.0),
            "hostile": lambda: self._begin_attack(int(asked["count"]), int(asked["seed"])),
            "facts": lambda: None,
        }
        verbs[asked["do"]]()
        return self.facts()

    def _begin_attack(self, count: int, seed: int) -> None:
        self.hostile = Hostile(count, seed)

    def facts(self) -> dict[str, Any]:
        return {
            "sent": self.market.sent,
            "heads": self.market.heads(),
            "bursting": self.timetable.bursting,
            "attacking": self.hostile.left if self.hostile else 0,
            "sockets": sum(bool(reader.symbols) for reader in self.readers.values()),
            "waiting": max((reader.waiting for reader in self.readers.values()), default=0),
            "waiting_max": self.waiting_max,
            "cut_slow": self.cut_slow,
            "connections": self.connections,
            "late_ms_max": round(self.timetable.late_ms_max, 1),
            "cpu_s": time.process_time(),
        }


def _json(body: Any, status: HTTPStatus = HTTPStatus.OK) -> Response:
    payload = json.dumps(body).encode()
    headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(payload))})
    return Response(status.value, status.phrase, headers, payload)


async def main() -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    asked = json.loads(await lines.readline())
    venue = Venue(asked["symbols"], Path(asked["stamps"]))
    options: dict[str, Any] = {"process_request": venue.answer, "compression": None, "ping_interval": None}
    async with serve(venue.talk, "127.0.0.1", asked["port"], **options):
        gc.collect()
        gc.freeze()  # or a look at every book makes the timetable late, and a burst of what follows it
        speaking = asyncio.create_task(venue.speak())
        print(json.dumps(venue.facts()), flush=True)
        while line := await lines.readline():
            if speaking.done():
                speaking.result()
            print(json.dumps(venue.obey(line.decode())), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())
