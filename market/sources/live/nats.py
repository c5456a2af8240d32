"""A market-data service that runs elsewhere and publishes to a NATS server.

Subjects `md.<venue>.<symbol>`; a payload is a quote or a trade print, JSON or msgpack (a JSON object
begins with `{`), numbers as decimal strings:

    {"k": "q", "b": [["10.01", "300"], …], "a": […], "t": ns, "n": 7}          quote
    {"k": "t", "p": "10.02", "q": "100", "s": "buy", "t": ns, "n": 8}          trade print
    {"k": "g", "f": 4, "l": 6, "t": ns, "n": 1}                                  the publisher's own gap

`t` is the market's time in nanoseconds since 1970, `n` counts the publisher's messages of a symbol and
kind up by one, `e` (optional) its life: a jump of `n` is a gap. A symbol may hold dots and blanks:
`escaped` says how they stand in a subject. NATS drops what a slow reader does not take: we see it in `n`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote, unquote

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from market.feed.sequence import Numbering
from market.sources.base import Stage
from market.sources.items import NOT_UNDERSTOOD, Gap, Item, Malformed, RawPrint, RawQuote
from market.sources.live.life import Live, LoginRefused, Lost
from simgame.kernel import clock

NAME = "nats"
PREFIX = "md"
PENDING_MESSAGES = 100_000  # waiting in the library, per subscription, before it drops
TAKEN_MAX = 10_000  # between the library and the feed: when it is full the library's queues fill up
PENDING_BYTES = 256 * 1024 * 1024
PING_S = 10.0


class NatsSource(Live):
    """One connection; we reconnect ourselves, so that an outage is seen and told."""

    name = NAME
    numbering = Numbering.RISING
    silent_s = 90.0  # a quiet market is no dead server: the library's pings notice that one

    def __init__(
        self, wanted: Iterable[str], address: str, venue: str, *, credentials: dict[str, Any] | None = None
    ):
        super().__init__(wanted)
        self.address, self.venue = address, venue
        self._credentials = credentials or {}
        self._client: Client | None = None
        self._subscribed: dict[str, Subscription] = {}
        self._messages: asyncio.Queue[Msg] = asyncio.Queue()
        self._lost: asyncio.Future[Lost] | None = None
        self._numbers: dict[tuple[str, str], tuple[int, int]] = {}  # symbol, kind → life, number

    async def connect(self) -> None:
        self._messages, self._numbers = asyncio.Queue(TAKEN_MAX), {}
        lost = self._lost = asyncio.get_running_loop().create_future()
        client = self._client = Client()

        async def ended() -> None:
            if not lost.done():
                lost.set_result(Lost("closed", "the NATS server is gone"))

        async def failed(error: Exception) -> None:
            if isinstance(error, nats.errors.SlowConsumerError) and not lost.done():
                lost.set_result(Lost("slow_consumer", f"messages were dropped: {error}"))

        try:
            await client.connect(
                self.address,
                allow_reconnect=False,
                connect_timeout=int(self.connect_s) or 1,
                ping_interval=int(PING_S),
                max_outstanding_pings=2,
                disconnected_cb=ended,
                closed_cb=ended,
                error_cb=failed,
                **self._credentials,
            )
        except nats.errors.AuthorizationError as error:
            raise LoginRefused(f"{self.address}: {error}") from error
        except (OSError, nats.errors.Error, TimeoutError) as error:
            if "authorization" in str(error).lower():
                raise LoginRefused(f"{self.address}: {error}") from error
            raise Lost("connect", f"{self.address}: {error or type(error).__name__}") from error

    async def subscribe(self, symbols: Sequence[str]) -> None:
        client = self._open()
        try:
            for symbol in symbols:
                self._subscribed[symbol] = await client.subscribe(
                    self.subject(symbol),
                    cb=self._messages.put,
                    pending_msgs_limit=PENDING_MESSAGES,
                    pending_bytes_limit=PENDING_BYTES,
                )
            await client.flush(timeout=int(self.acknowledge_s) or 1)  # the server has read them all
        except (nats.errors.Error, OSError) as error:
            raise Lost("closed", str(error)) from error
        self.subscriptions.acknowledge(symbols)

    async def unsubscribe(self, symbols: Sequence[str]) -> None:
        try:
            for symbol in symbols:
                if subscribed := self._subscribed.pop(symbol, None):
                    await subscribed.unsubscribe()
        except (nats.errors.Error, OSError) as error:
            raise Lost("closed", str(error)) from error

    async def listen(self, stage: Stage) -> None:
        lost = self._lost
        assert lost is not None
        while True:
            coming = asyncio.create_task(self._messages.get())
            try:
                waiting: list[asyncio.Future[Any]] = [coming, lost]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not coming.done():
                    coming.cancel()
            if lost.done():
                raise lost.result()
            await self._take(stage, coming.result())
            while not self._messages.empty():  # no task for each of many
                await self._take(stage, self._messages.get_nowait())

    async def _take(self, stage: Stage, message: Msg) -> None:
        self.heard()
        await self.pass_on(stage, list(self.read(message.subject, message.data, clock.now_ns())))

    async def hang_up(self) -> None:
        client, self._client = self._client, None
        self._subscribed = {}
        if client is not None and not client.is_closed:
            await client.close()

    # --- the language ----------------------------------------------------------------------------------

    def subject(self, symbol: str) -> str:
        return f"{PREFIX}.{self.venue}.{escaped(symbol)}"

    def read(self, subject: str, payload: bytes, received_ns: int) -> Iterable[Item]:
        """The items of a message. Never raises."""
        symbol = unescaped(subject.rpartition(".")[2])
        try:
            body = json.loads(payload) if payload[:1] == b"{" else msgspec.msgpack.decode(payload)
            kind, at_ns, number, life = body["k"], body["t"], int(body["n"]), int(body.get("e", 0))
            yield from self._hole(symbol, kind, life, number, at_ns)
            stamp = (at_ns, received_ns, f"{NAME}:{self.venue}", self.epoch, number)
            if kind == "q":
                yield RawQuote(symbol, _levels(body["b"]), _levels(body["a"]), *stamp)
            elif kind == "t":
                yield RawPrint(symbol, body["p"], body["q"], body.get("s", ""), *stamp)
            elif kind == "g":
                yield Gap(NAME, symbol, at_ns, int(body["f"]), int(body["l"]))
            else:
                raise ValueError(f"kind {kind!r} is neither q nor t nor g")
        except NOT_UNDERSTOOD as error:
            yield Malformed(NAME, "unreadable_message", f"{error}: {payload[:300]!r}", symbol)

    def _hole(self, symbol: str, kind: str, life: int, number: int, at_ns: int) -> Iterable[Gap]:
        before = self._numbers.get((symbol, kind))
        if before is None or (life, number) > before:
            self._numbers[symbol, kind] = (life, number)
        if before and before[0] == life and number > before[1] + 1:
            yield Gap(NAME, symbol, at_ns, before[1] + 1, number - 1)

    def _open(self) -> Client:
        if self._client is None:
            raise Lost("closed", "there is no connection")
        return self._client


def escaped(symbol: str) -> str:
    """A symbol as one token of a subject: `Au99.99` → `Au99%2E99`. Reversible."""
    return quote(symbol, safe="-_").replace(".", "%2E").replace("~", "%7E")


def unescaped(token: str) -> str:
    return unquote(token)


def _levels(rows: Iterable[Sequence[Any]]) -> tuple[tuple[Any, Any], ...]:
    return tuple((row[0], row[1]) for row in rows)
