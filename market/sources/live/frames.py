"""A WebSocket that gives whole messages by the handful, as they came between two turns of the feed.

`websockets` opens, answers pings and closes. Text and binary frames, which are all but all of what a venue
sends, do not go through its parser and queue: those cost three times what our reading of a message does.
"""

from __future__ import annotations

import asyncio
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.protocol import State

from market.feed.turns import TURNS

FRAME_MAX = 8 * 1024 * 1024  # bytes: the greatest snapshot of a book by far
HEAD_MAX = 64 * 1024  # bytes of an answer to our opening
WAITING_MAX = 2_000  # messages read ahead: beyond it the rest stays in the socket, and the venue notices
TURN_MAX = 100  # messages given at once: each of them is as old as the others by the feed's clock

END_OF_HEAD = b"\r\n\r\n"
WHOLE, BEGINS, GOES_ON, ENDS = (0x81, 0x82), (0x01, 0x02), 0x00, 0x80  # first byte: FIN and opcode


class Frames(ClientConnection):
    """Read with `frames`, not with `recv`."""

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self._head: bytes | None = b""  # of the answer to our opening, until it is whole
        self._pieces: list[bytes] = []  # of a frame that is not whole yet
        self._lacking = 0  # bytes until it may be
        self._parts: list[bytes] = []  # of a message in several frames
        self._frames: list[bytes] = []
        self._awaited: asyncio.Future[None] | None = None  # by whoever reads, while there is nothing
        self._over = self._held = False
        self._turn: asyncio.TimerHandle | None = None  # until it the socket is not read

    async def frames(self) -> list[bytes]:
        """The messages that have come, at most TURN_MAX; waits for one. [] when there will be none."""
        while not self._frames:
            if self._over:
                return []
            self._awaited = self.loop.create_future()
            await self._awaited
        if len(self._frames) <= TURN_MAX:
            taken, self._frames = self._frames, []
        else:
            taken = self._frames[:TURN_MAX]
            del self._frames[:TURN_MAX]
        if self._held and len(self._frames) < WAITING_MAX // 2:
            self._held = False
            self._read_on()
        return taken

    # --- what the transport calls ----------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            data = self._opened(data)
        if not data:
            return
        if self.protocol.state is not State.OPEN:
            super().data_received(data)
            return
        if self._pieces:
            self._pieces.append(data)
            self._lacking -= len(data)
            if self._lacking > 0:
                return
            data, self._pieces = b"".join(self._pieces), []
        self._cut(data)
        if self._frames:
            self._wake()
        self._rest()

    def _rest(self) -> None:
        """Reads no more until there is room again; unless much has come, until the next turn."""
        if self.transport.is_closing():
            return
        self._held = len(self._frames) > WAITING_MAX
        if len(self._frames) <= TURN_MAX and self._turn is None:
            wait_s = TURNS.wait_s(self.loop.time())
            if wait_s > 0:
                self._turn = self.loop.call_later(wait_s, self._turn_has_come)
        if self._held or self._turn is not None:
            self.transport.pause_reading()

    def _turn_has_come(self) -> None:
        self._turn = None
        self._read_on()

    def _read_on(self) -> None:
        if not (self._over or self._held or self._turn or self.transport.is_closing()):
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._over = True
        self._wake()

    def _wake(self) -> None:
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)

    def _opened(self, data: bytes) -> bytes:
        """Gives the library the answer to our opening, and returns what came behind it."""
        head = (self._head or b"") + data
        end = head.find(END_OF_HEAD)
        if end < 0 and len(head) <= HEAD_MAX:
            self._head = head
            return b""
        end = end + len(END_OF_HEAD) if end >= 0 else len(head)
        self._head = None
        super().data_received(head[:end])
        return head[end:]

    def _cut(self, data: bytes) -> None:
        """RFC 6455, 5.2. What is no ordinary frame of a server is the library's to answer or to refuse."""
        at, size, frames = 0, len(data), self._frames
        while size - at >= 2:
            first, length, begin = data[at], data[at + 1], at + 2
            if length == 126:
                begin += 2
                length = int.from_bytes(data[at + 2 : begin], "big") if size >= begin else size
            elif length == 127:
                begin += 8
                length = int.from_bytes(data[at + 2 : begin], "big") if size >= begin else size
            if length > FRAME_MAX or data[at + 1] > 127:  # too large, or masked, which no server may do
                super().data_received(data[at:])
                return
            end = begin + length
            if end > size:
                self._lacking = end - size
                break
            if first in WHOLE:
                frames.append(data[begin:end])
            elif first in BEGINS or (self._parts and first in (GOES_ON, ENDS)):
                self._put_together(first, data[begin:end])
            else:
                super().data_received(data[at:end])
            at = end
        if at < size:
            self._lacking = max(1, self._lacking)
            self._pieces = [data[at:]]

    def _put_together(self, first: int, part: bytes) -> None:
        if first in BEGINS:
            self._parts = []
        self._parts.append(part)
        if sum(map(len, self._parts)) > FRAME_MAX:
            self.transport.abort()
        elif first == ENDS:
            self._frames.append(b"".join(self._parts))
            self._parts = []
