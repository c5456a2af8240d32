"""The socket that web workers, commands and Celery speak to."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec
import structlog

from trading.exchange.framing import BadFrame, Deframer, frame
from trading.exchange.intake import Arrival
from trading.exchange.name import inode_of
from trading.exchange.wire import FRAME_BYTES_MAX, Reply, Request

log = structlog.get_logger(__name__)
BACKLOG = 512
LOOK_S = 0.5
STRANGE_LOOKS = 6  # by then a newer exchange's lease would have made us leave
REPLIES_PER_FRAME = 32  # so many leave at once: the web worker passes them on while others are written
decode_requests = msgspec.msgpack.Decoder(list[Request]).decode
encode_replies = msgspec.msgpack.Encoder().encode


class Link(asyncio.Protocol):
    """One connected client. Answers of one turn of the event loop leave together, a frame at a time."""

    def __init__(self, submit: Callable[[Arrival], None], links: set[Link]):
        self._submit = submit
        self._links = links
        self._deframer = Deframer()
        self._answers: list[Reply] = []
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by descent
        self._links.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._links.discard(self)

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._deframer.feed(data):
                for request in decode_requests(body):
                    self._submit(Arrival(request.body, request.n, self, request.rate))
        except (BadFrame, msgspec.MsgspecError) as error:
            log.warning("exchange_peer_not_understood", why=str(error))
            self.close()

    def answer(self, reply: Reply) -> None:
        """A peer that has gone gets nothing; what was executed stays so, and it will ask again."""
        self._answers.append(reply)
        if len(self._answers) == 1:
            asyncio.get_running_loop().call_soon(self.flush)
        elif len(self._answers) >= REPLIES_PER_FRAME:
            self.flush()

    def flush(self) -> None:
        answers, self._answers = self._answers, []
        if answers and self._transport is not None:
            self._send(answers)

    def close(self) -> None:
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def _send(self, answers: list[Reply]) -> None:
        assert self._transport is not None
        body = encode_replies(answers)
        if len(body) <= FRAME_BYTES_MAX:
            self._transport.write(frame(body))
        elif len(answers) > 1:
            half = len(answers) // 2
            self._send(answers[:half])
            self._send(answers[half:])
        else:
            detail = "It was executed, but its answer is too long: read your orders."
            self._send([Reply(answers[0].n, answers[0].outcome, answers[0].code, detail)])


class Server:
    """Listens at `path`, readable by our own user only."""

    def __init__(self, path: Path, submit: Callable[[Arrival], None]):
        self.path = path
        self.links: set[Link] = set()
        self._submit = submit
        self._server: asyncio.Server | None = None
        self._inode = 0

    async def open(self) -> None:
        """A newcomer takes the name over; who is connected to the former holder stays with it."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        draft = self.path.with_suffix(f".{os.getpid()}")
        draft.unlink(missing_ok=True)
        listener.bind(str(draft))
        os.chmod(draft, 0o600)
        listener.listen(BACKLOG)
        os.replace(draft, self.path)
        self._inode = self.path.stat().st_ino
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(self._link, sock=listener, backlog=BACKLOG)

    async def keep(self) -> None:
        """Put the name back where it has gone, until cancelled.

        An exchange that was overtaken while it started puts its own name over ours, and takes it away when it
        leaves. While it is there it may be the newer one: it has the time to learn who is.
        """
        strange = 0  # looks in a row at which the name was not ours
        while True:
            await asyncio.sleep(LOOK_S)
            found = inode_of(self.path)
            strange = 0 if found == self._inode else strange + 1
            if strange and (not found or strange >= STRANGE_LOOKS):
                log.warning(
                    "exchange_name_put_back", path=str(self.path), was="gone" if not found else "taken"
                )
                former = self._server
                await self.open()
                if former is not None:
                    former.close()
                strange = 0

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for link in list(self.links):
            link.close()
        if inode_of(self.path) == self._inode:
            self.path.unlink(missing_ok=True)

    def _link(self) -> Link:
        return Link(self._submit, self.links)
