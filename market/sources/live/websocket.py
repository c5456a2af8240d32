"""A venue behind a WebSocket: one connection, one dialect.

A **dialect** is pure: it says which frames to send and what a frame means. The socket, the REST
snapshots and all waiting are here.
"""

from __future__ import annotations

import abc
import asyncio
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidURI, WebSocketException
from websockets.frames import CloseCode

from market.feed.sequence import Numbering
from market.sources.base import HistoryAway, Stage
from market.sources.items import Item
from market.sources.live.frames import FRAME_MAX, Frames
from market.sources.live.life import Cut, Live, Lost, Unreachable
from market.ticks import Print, Quote
from simgame.kernel import clock

SNAPSHOT_PAUSE_S = 0.3  # between REST snapshots: a venue that is asked for all books at once bans us
PING_S = 20.0
PROBE_TIMEOUT_S = 1.0
# A pong waits behind all that we have not read yet: when we are slow it is no sign of a dead venue, and
# hanging up would lose what `block` has kept. `Live.silent_s` tells a dead one.
PING_TIMEOUT_S = None


class Acknowledged(msgspec.Struct, frozen=True):
    symbols: tuple[str, ...]


class Refused(msgspec.Struct, frozen=True):
    symbols: tuple[str, ...]
    why: str  # the venue's code and words


class SnapshotWanted(msgspec.Struct, frozen=True):
    """The book of `symbol` must be read over REST before its updates mean anything."""

    symbol: str


class Again(msgspec.Struct, frozen=True):
    """These must be subscribed anew, the others go on: one book with a hole spoils no other."""

    symbols: tuple[str, ...]


class Fault(msgspec.Struct, frozen=True):
    """This connection is of no more use."""

    reason: str
    text: str


Heard = Item | Acknowledged | Refused | SnapshotWanted | Again | Fault


class Dialect(Protocol):
    """One connection's worth of a venue's language; made anew for each connection."""

    def subscribe(self, symbols: Sequence[str]) -> str: ...

    def unsubscribe(self, symbols: Sequence[str]) -> str: ...

    def read(self, frame: bytes, received_ns: int) -> Iterable[Heard]:
        """What a frame means. Never raises: what cannot be read is Malformed."""

    def snapshot(self, symbol: str, body: Any, received_ns: int) -> Iterable[Heard]:
        """What a REST snapshot means."""

    def snapshot_path(self, symbol: str) -> str: ...

    def ping(self) -> str | None:
        """The frame that asks whether the venue is still there; None: the protocol's own ping will do."""


class WebSocketVenue(Live):
    """Subclasses say `address`, `rest_address` and make the dialect of a connection."""

    numbering = Numbering.RISING
    needs_login = False

    def __init__(
        self, wanted: Iterable[str], address: str, rest_address: str = "", chance: random.Random | None = None
    ):
        super().__init__(wanted, chance=chance)
        self.address, self.rest_address = address, rest_address
        self._socket: Frames | None = None
        self._rest: httpx.AsyncClient | None = None
        self._snapshots: asyncio.Queue[str] = asyncio.Queue()
        self._dialect: Dialect | None = None

    @abc.abstractmethod
    def dialect(self) -> Dialect:
        """That of a new connection."""

    async def connect(self) -> None:
        self._snapshots = asyncio.Queue()
        self._dialect = self.dialect()
        try:
            socket = await connect(
                self.address,
                create_connection=Frames,
                compression=None,
                max_size=FRAME_MAX,
                ping_interval=PING_S,
                ping_timeout=PING_TIMEOUT_S,
                proxy=None,
            )
        except OSError as error:
            raise Unreachable("connect", f"{self.address}: {error}") from error
        except (InvalidHandshake, InvalidURI, WebSocketException) as error:
            raise Lost("connect", f"{self.address}: {error}") from error
        assert isinstance(socket, Frames)
        self._socket = socket
        if self.rest_address:
            self._rest = httpx.AsyncClient(base_url=self.rest_address, timeout=self.connect_s)

    async def reachable(self) -> bool:
        address = urlsplit(self.address)
        port = address.port or (443 if address.scheme == "wss" else 80)
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                _, writer = await asyncio.open_connection(address.hostname, port)
        except (OSError, TimeoutError):
            return False
        writer.transport.abort()
        return True

    async def hang_up(self) -> None:
        socket, self._socket = self._socket, None
        rest, self._rest = self._rest, None
        if socket is not None:
            socket.transport.abort()  # a dead peer answers no closing handshake
        if rest is not None:
            await rest.aclose()

    async def subscribe(self, symbols: Sequence[str]) -> None:
        await self._send(self._speaking().subscribe(symbols))

    async def unsubscribe(self, symbols: Sequence[str]) -> None:
        await self._send(self._speaking().unsubscribe(symbols))

    async def listen(self, stage: Stage) -> None:
        reading = asyncio.create_task(self._read_frames(stage), name=f"{self.name}-frames")
        asking = asyncio.create_task(self._read_snapshots(stage), name=f"{self.name}-snapshots")
        pinging = asyncio.create_task(self._ping_for_ever(), name=f"{self.name}-ping")
        jobs = [reading, asking, pinging]
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            for job in done:
                job.result()
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)

    async def _read_frames(self, stage: Stage) -> None:
        socket, read = self._open(), self._speaking().read
        while frames := await socket.frames():
            self.heard(len(frames))
            received_ns = clock.now_ns()
            # All that one read of the socket gave: what is too much is the feed's queue's to hold or to drop.
            await self._take(stage, [heard for frame in frames for heard in read(frame, received_ns)])
        code, why = socket.close_code, socket.close_reason
        if code == CloseCode.ABNORMAL_CLOSURE and not socket.protocol.close_sent:
            raise Cut("closed", "the connection ended without a word")
        raise Lost("closed", f"the venue closed the connection ({code} {why})".strip())

    async def _read_snapshots(self, stage: Stage) -> None:
        """One after another, with a jittered pause: the venue weighs them heavily."""
        while True:
            symbol = await self._snapshots.get()
            body = await self._snapshot(symbol)
            await self._take(stage, self._speaking().snapshot(symbol, body, clock.now_ns()))
            await asyncio.sleep(SNAPSHOT_PAUSE_S * self._chance.uniform(0.5, 1.5))

    async def _snapshot(self, symbol: str) -> Any:
        if self._rest is None:
            raise Lost("snapshot", "this venue has no address for snapshots")
        try:
            answer = await self._rest.get(self._speaking().snapshot_path(symbol))
            answer.raise_for_status()
            return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Lost("snapshot", f"the snapshot of {symbol}: {error}") from error

    async def history_of(self, path: str, query: dict[str, Any]) -> Any:
        """What the venue answers over REST. Raises HistoryAway."""
        if self._rest is None:
            raise HistoryAway("there is no connection")
        try:
            answer = await self._rest.get(path, params=query)
            answer.raise_for_status()
            return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise HistoryAway(f"{path}: {error or type(error).__name__}") from error

    async def _ping_for_ever(self) -> None:
        while True:
            await asyncio.sleep(PING_S)
            frame = self._speaking().ping()
            if frame is not None:
                await self._send(frame)

    async def _take(self, stage: Stage, meant: Iterable[Heard]) -> None:
        items: list[Item] = []
        for heard in meant:
            kind = type(heard)
            if kind is Quote or kind is Print:  # nearly all
                items.append(self.stamped(heard))  # type: ignore[arg-type]
                continue
            items = await self.pass_on(stage, items)
            match heard:
                case Acknowledged():
                    self.subscriptions.acknowledge(heard.symbols)
                case Refused():
                    self.subscriptions.refuse(heard.symbols, heard.why)
                case SnapshotWanted():
                    self._snapshots.put_nowait(heard.symbol)
                case Again():
                    await self.unsubscribe(heard.symbols)
                    self.subscriptions.forget(heard.symbols)
                case Fault():
                    raise Lost(heard.reason, heard.text)
                case _:
                    items.append(self.stamped(heard))
        await self.pass_on(stage, items)

    async def _send(self, frame: str) -> None:
        try:
            await self._open().send(frame)
        except WebSocketException as error:
            raise Lost("closed", str(error)) from error

    def _open(self) -> Frames:
        if self._socket is None:
            raise Lost("closed", "there is no connection")
        return self._socket

    def _speaking(self) -> Dialect:
        if self._dialect is None:
            raise Lost("closed", "there is no connection")
        return self._dialect


def nothing() -> Iterator[Heard]:
    return iter(())
