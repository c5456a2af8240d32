"""The feed's Unix socket: links for downstreams, answers to questions."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import structlog

from market.feed import wire
from market.feed.histogram import Histogram
from market.feed.hub import Hub, Link, TooSlow
from market.ticks import Tick, encode
from simgame.kernel import clock
from simgame.kernel.clock import NS_PER_S

HELLO_TIMEOUT_S = 5.0
SEND_TIMEOUT_S = 30.0  # a reader that takes nothing for this long is gone
LINKS_MAX = 64  # exchange, web workers, operators: far fewer than this
DIRECT_MAX = (
    64 * 1024
)  # bytes a socket may owe and still be written to at once: some ten turns of a busy market

Answer = Callable[[dict[str, Any]], dict[str, Any]]

log = structlog.get_logger(__name__)


class FeedServer:
    def __init__(self, path: Path, hub: Hub, snapshot: Callable[[], list[Tick]], answer: Answer):
        self.path = path
        self.hub = hub
        self.links: set[Link] = set()
        self._snapshot = snapshot
        self._answer = answer
        self.cut = self.refused = 0  # links that owed too much or took nothing; that spoke nonsense
        self.end_to_end = Histogram()
        self._server: asyncio.Server | None = None
        self._inode = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        return f"unix:{self.path}"

    async def start(self) -> None:
        """Listen. A socket file that an earlier feed left behind is replaced."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, str(self.path))
        finally:
            os.umask(mask)
        self._inode = self.path.stat().st_ino

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(FileNotFoundError):  # a feed that took over has put its own socket there
            if self.path.stat().st_ino == self._inode:
                self.path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        link = Link("unnamed")
        link.direct = self._writer_of(writer.transport)
        sending = asyncio.create_task(self._send(link, writer))
        try:
            await self._converse(link, reader)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError) as error:
            # The peer went away, or `stop` cancelled us: nothing is owed.
            log.debug("link_left", link=link.name, why=str(error) or type(error).__name__)
        except (wire.BadFrame, msgspec.DecodeError, msgspec.ValidationError, TimeoutError) as error:
            self.refused += 1
            log.warning("link_refused", link=link.name, why=str(error) or type(error).__name__)
        finally:
            self.hub.leave(link)
            self.links.discard(link)
            sending.cancel()
            writer.close()
            self._tasks.discard(task)

    async def _converse(self, link: Link, reader: asyncio.StreamReader) -> None:
        async with asyncio.timeout(HELLO_TIMEOUT_S):
            first = wire.decode_map(await wire.read_frame(reader))
        self._take(link, first)
        while True:
            self._take(link, wire.decode_map(await wire.read_frame(reader)))

    def _take(self, link: Link, message: dict[str, Any]) -> None:
        if "role" in message:
            self._join(link, str(message["role"]))
        elif message.get("op") == "snapshot":
            link.answer(wire.encode_map({"op": "snapshot", "ticks": self._snapshot()}))
        else:
            link.answer(wire.encode_map(self._answer(message)))

    def _join(self, link: Link, role: str) -> None:
        if link in self.links:
            raise wire.BadFrame("a second hello on one connection")
        if len(self.links) >= LINKS_MAX:
            raise wire.BadFrame(f"more than {LINKS_MAX} links")
        link.name = role[:40]
        link.answer(encode(self._snapshot()))
        self.links.add(link)
        self.hub.join(link)
        log.info("link_joined", link=link.name)

    def _writer_of(self, transport: asyncio.WriteTransport) -> Callable[[bytes, int], bool]:
        """Writes without a task's turn for each frame and link: with ten links a third of the cost."""

        def write(frame: bytes, received_ns: int) -> bool:
            if transport.get_write_buffer_size() > DIRECT_MAX or transport.is_closing():
                return False
            transport.write(frame)
            if received_ns:
                self.end_to_end.observe((clock.now_ns() - received_ns) / NS_PER_S)
            return True

        return write

    async def _send(self, link: Link, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(await link.next())
                if link.oldest_ns:
                    self.end_to_end.observe((clock.now_ns() - link.oldest_ns) / NS_PER_S)
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await writer.drain()
        except (TooSlow, TimeoutError, OSError) as error:
            self.cut += 1
            log.warning("link_cut", link=link.name, why=str(error) or type(error).__name__)
            writer.close()
