"""How web workers, commands and Celery ask the exchange of a world.

    reply = await client_for(world_number).ask(NewOrder(...), timeout_s=3.0)
    reply = ask_sync(world_number, OpenPortfolio(...), timeout_s=5.0)

There is always a reply: `executed`, `not_executed` (certainly), or `unknown` (ask again with the
same key). One connection per process, event loop and world; the requests of one turn of the loop
travel together, but a few of them do not wait for the others: see docs/decisions/0039.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, cast
from weakref import WeakKeyDictionary

import msgspec
import structlog
from channels.db import database_sync_to_async

from simgame.kernel import clock
from trading.exchange.framing import LENGTH_BYTES, BadFrame, Deframer, frame
from trading.exchange.name import inode_of
from trading.exchange.wire import FRAME_BYTES_MAX, Body, Received, Request
from trading.models import ExchangeLease

log = structlog.get_logger(__name__)
TIMEOUT_S = 3.0
CONNECT_PAUSE_S = 0.1  # after a failed attempt, requests are refused at once for this long
REQUESTS_PER_FRAME = 16  # so many leave at once: the exchange works on them while others are read
LOOK_S = 0.05  # how often we look whose patience has ended: a timer for each would cost more than asking
encode_requests = msgspec.msgpack.Encoder().encode
decode_replies = msgspec.msgpack.Decoder(list[Received]).decode


class Waiting(NamedTuple):
    """Who waits for an answer, until when by the clock of the loop, and how long that is in all."""

    then: Callable[[Received], None]
    until: float
    timeout_s: float


class ExchangeClient:
    """Belongs to the event loop that first asks."""

    def __init__(self, world_number: int):
        self.world_number = world_number
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Waiting] = {}
        self._unsent: list[Request] = []
        self._looking: asyncio.TimerHandle | None = None
        self._wire: _Wire | None = None
        self._connecting: asyncio.Task[_Wire | None] | None = None
        self._failed_at = -CONNECT_PAUSE_S

    async def ask(self, body: Body, timeout_s: float = TIMEOUT_S, rate: int = 0) -> Received:
        """Never raises for a missing, dying or silent exchange: the reply says it.

        `rate`: how often a second the exchange takes such a command of this portfolio; 0: no limit.
        """
        coming: asyncio.Future[Received] = asyncio.get_running_loop().create_future()

        def then(reply: Received) -> None:
            if not coming.done():
                coming.set_result(reply)

        n = self.send(body, then, timeout_s, rate)
        if not n and await self._connect():
            n = self.send(body, then, timeout_s, rate)
        if not n:
            return _not_running(0)
        try:
            return await coming
        finally:
            self._waiting.pop(n, None)

    def send(
        self, body: Body, then: Callable[[Received], None], timeout_s: float = TIMEOUT_S, rate: int = 0
    ) -> int:
        """As `ask`, where a connection stands: `then` hears the reply, once. 0: there is none."""
        if self._wire is None or self._wire.lost:
            return 0
        loop, n = asyncio.get_running_loop(), next(self._numbers)
        self._waiting[n] = Waiting(then, loop.time() + timeout_s, timeout_s)
        if self._looking is None:
            self._looking = loop.call_later(LOOK_S, self._look, loop)
        self._unsent.append(Request(n, body, rate))
        if len(self._unsent) == 1:
            loop.call_soon(self._flush)
        elif len(self._unsent) >= REQUESTS_PER_FRAME:
            self._flush()
        return n

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()

    def _flush(self) -> None:
        requests, self._unsent = self._unsent, []
        if not requests:  # they have left already
            return
        if self._wire is None or self._wire.lost:
            for request in requests:
                self._settle(_not_running(request.n))
        else:
            self._wire.send(frame(encode_requests(requests)))

    def _settle(self, reply: Received) -> None:
        waiting = self._waiting.pop(reply.n, None)
        if waiting is not None:
            try:
                waiting.then(reply)
            except Exception:
                log.exception("reply_not_taken")  # the others of its frame hear theirs

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Who has waited for too long hears that the outcome is unknown."""
        self._looking = loop.call_later(LOOK_S, self._look, loop) if self._waiting else None
        now = loop.time()
        for n, waiting in list(self._waiting.items()):
            if waiting.until <= now:
                self._leave_a_sleeper()
                self._settle(_unknown(n, f"No answer within {waiting.timeout_s:g} s."))

    def _lost(self) -> None:
        """What had been sent may have been executed."""
        for n in list(self._waiting):
            if all(request.n != n for request in self._unsent):
                self._settle(_unknown(n, "The connection to the exchange broke while it had the request."))

    def _leave_a_sleeper(self) -> None:
        """A paused exchange keeps its connections. Where another took its name over, we go to that one."""
        if self._wire is not None and not self._wire.is_where_it_was():
            log.warning("exchange_sleeps", world=self.world_number)
            self._wire.cut()

    async def _connect(self) -> bool:
        if clock.monotonic_s() - self._failed_at < CONNECT_PAUSE_S:
            return False
        if self._connecting is None:
            self._connecting = asyncio.ensure_future(self._open())
            self._connecting.add_done_callback(lambda _: setattr(self, "_connecting", None))
        self._wire = await asyncio.shield(self._connecting)
        if self._wire is None:
            self._failed_at = clock.monotonic_s()
        return self._wire is not None

    async def _open(self) -> _Wire | None:
        path = await database_sync_to_async(_path_to)(self.world_number)
        if path is None:
            return None
        try:
            loop = asyncio.get_running_loop()
            _, wire = await loop.create_unix_connection(lambda: _Wire(self._settle, self._lost, path), path)
        except OSError as error:
            log.info("exchange_not_reached", world=self.world_number, why=str(error))
            return None
        return wire


class _Wire(asyncio.Protocol):
    def __init__(self, settle: Any, lost: Any, path: str):
        self.lost = False
        self._path, self._inode = path, inode_of(path)
        self._settle, self._when_lost = settle, lost
        self._deframer = Deframer()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by descent

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._deframer.feed(data):
                for reply in decode_replies(body):
                    self._settle(reply)
        except (BadFrame, msgspec.MsgspecError) as error:
            log.warning("exchange_not_understood", why=str(error))
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        self._when_lost()

    def send(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def cut(self) -> None:
        """Without sending what it does not take; who waits for its answers is told that they are unknown."""
        self.lost = True
        if self._transport is not None:
            self._transport.abort()

    def is_where_it_was(self) -> bool:
        """False when another exchange listens at the address by now."""
        return inode_of(self._path) in (self._inode, 0)


_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, ExchangeClient]] = WeakKeyDictionary()


class _Here(threading.local):
    """The event loop that asked last in this thread, and its clients: a web worker has no other."""

    loop: asyncio.AbstractEventLoop | None = None
    clients: dict[int, ExchangeClient] = {}


_here = _Here()


def client_for(world_number: int) -> ExchangeClient:
    """The running event loop's client of that world."""
    loop = asyncio.get_running_loop()
    if _here.loop is not loop:
        _here.loop, _here.clients = loop, _clients.setdefault(loop, {})
    mine = _here.clients
    if world_number not in mine:
        mine[world_number] = ExchangeClient(world_number)
    return mine[world_number]


def ask_sync(world_number: int, body: Body, timeout_s: float = TIMEOUT_S) -> Received:
    """As `ask`, for code without an event loop: a connection of its own for one question."""
    path = _path_to(world_number)
    return _not_running(1) if path is None else ask_at(path, body, timeout_s)


def ask_at(path: str, body: Body, timeout_s: float = TIMEOUT_S) -> Received:
    """One question to the exchange that listens at `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(path)
        except OSError:
            return _not_running(1)
        try:
            connection.sendall(frame(encode_requests([Request(1, body)])))
            return decode_replies(_read_frame(connection))[0]
        except (OSError, BadFrame, msgspec.MsgspecError) as error:
            return _unknown(1, f"The exchange did not answer: {error}.")


def _read_frame(connection: socket.socket) -> bytes:
    size = int.from_bytes(_read(connection, LENGTH_BYTES), "big")
    if size > FRAME_BYTES_MAX:
        raise BadFrame(f"a frame of {size} bytes")
    return _read(connection, size)


def _read(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionResetError("it closed the connection")
        data += part
    return bytes(data)


def _path_to(world_number: int) -> str | None:
    """Where the world's exchange listens, or did when it last ran."""
    lease = ExchangeLease.objects.filter(world_id=world_number).first()
    if lease is None or not lease.address.startswith("unix:"):
        return None
    return lease.address.removeprefix("unix:")


def _not_running(n: int) -> Received:
    return Received(
        n, "not_executed", "ENGINE_RECOVERING", "The exchange of this world is not running just now."
    )


def _unknown(n: int, detail: str) -> Received:
    return Received(n, "unknown", "OUTCOME_UNKNOWN", detail)
