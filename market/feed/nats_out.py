"""Ticks for whoever reads NATS: `md.<venue>.<symbol>`, in the words that our own `nats` source reads.

    {"k": "q" | "t" | "g", …, "t": ns, "n": counts up by one per symbol and kind, "e": the feed's epoch}

(`market.sources.live.nats` describes quotes and trades; "g" is a gap: "f" first, "l" last missing.) A NATS
server that is slow or away costs its readers messages, never the feed its time: what waits is bounded, the
oldest goes first, and every reader sees the hole in `n`.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import nats.errors
import structlog
from nats.aio.client import Client

from market.feed.hub import Batch
from market.feed.quality import Scale
from market.sources.items import Gap
from market.sources.live.backoff import Backoff
from market.sources.live.nats import PREFIX, escaped
from market.ticks import Level, Print, Quote
from simgame.kernel import clock, money

WAITING_MAX = 50_000  # ten seconds of the rate we aim at
TURN_MAX = 512  # messages between two looks at the loop
CONNECT_S = 5

log = structlog.get_logger(__name__)
ENCODERS: Mapping[str, Callable[[Any], bytes]] = {
    "json": msgspec.json.Encoder().encode,
    "msgpack": msgspec.msgpack.Encoder().encode,
}


class Listed(Scale):
    """What a subject needs of an instrument."""

    venue: str


class NatsPublisher:
    """A downstream. `published`, `dropped`: messages so far; `connected` now."""

    name = "nats"

    def __init__(
        self,
        address: str,
        form: str,
        scales: Mapping[str, Listed],
        epoch: int,
        credentials: Mapping[str, Any] | None = None,
    ):
        """`form`: a key of ENCODERS."""
        self.address, self.scales, self.epoch = address, scales, epoch
        self.published = self.dropped = 0
        self.connected = False
        self._encode = ENCODERS[form]
        self._credentials = dict(credentials or {})
        self._subjects = {
            symbol: f"{PREFIX}.{escaped(one.venue)}.{escaped(symbol)}" for symbol, one in scales.items()
        }
        self._numbers: Counter[tuple[str, str]] = Counter()
        self._waiting: deque[tuple[str, dict[str, Any]]] = deque()
        self._ready = asyncio.Event()

    def offer(self, batch: Batch) -> None:
        if batch.gap is not None:
            for symbol in [batch.gap.symbol] if batch.gap.symbol else self._subjects:
                self._queue(symbol, "g", self._gap(batch.gap))
        for tick in batch.ticks:
            if isinstance(tick, Quote):
                self._queue(tick.symbol, "q", self._quote(tick))
            elif isinstance(tick, Print):
                self._queue(tick.symbol, "t", self._trade(tick))
        if self._waiting:
            self._ready.set()

    def _queue(self, symbol: str, kind: str, body: dict[str, Any]) -> None:
        subject = self._subjects.get(symbol)
        if subject is None:
            return
        self._numbers[symbol, kind] += 1
        if len(self._waiting) >= WAITING_MAX:
            self._waiting.popleft()
            self.dropped += 1
        number = {"k": kind, "n": self._numbers[symbol, kind], "e": self.epoch}
        self._waiting.append((subject, number | body))

    def _quote(self, quote: Quote) -> dict[str, Any]:
        scale = self.scales[quote.symbol]
        return {"b": _levels(quote.bids, scale), "a": _levels(quote.asks, scale), "t": quote.at_ns}

    def _trade(self, trade: Print) -> dict[str, Any]:
        scale = self.scales[trade.symbol]
        price, size = (
            money.show(trade.price, scale.price_exponent),
            money.show(trade.size, scale.qty_exponent),
        )
        return {"p": price, "q": size, "s": trade.side, "t": trade.at_ns}

    def _gap(self, gap: Gap) -> dict[str, Any]:
        return {"f": gap.first_missing, "l": gap.last_missing, "t": gap.at_ns}

    async def run(self) -> None:
        """Connect, publish, come back; until cancelled."""
        backoff = Backoff()
        while True:
            began_s, why = clock.monotonic_s(), ""
            try:
                await self._session()
            except (nats.errors.Error, OSError, TimeoutError) as error:
                why = str(error) or type(error).__name__
            if self.connected:
                log.warning("nats_lost", address=self.address, why=why or "the server is gone")
            self.connected = False
            await asyncio.sleep(backoff.next(clock.monotonic_s() - began_s))

    async def _session(self) -> None:
        client = Client()
        try:
            await client.connect(
                self.address, allow_reconnect=False, connect_timeout=CONNECT_S, **self._credentials
            )
            self.connected = True
            log.info("nats_publishes", address=self.address)
            while not client.is_closed:
                await self._send(client)
        finally:
            if not client.is_closed:
                await client.close()

    async def _send(self, client: Client) -> None:
        """What waits, at most TURN_MAX messages; looks each second whether the server is still there."""
        try:
            async with asyncio.timeout(1.0):
                await self._ready.wait()
        except TimeoutError:
            return
        for _ in range(min(TURN_MAX, len(self._waiting))):
            subject, body = self._waiting.popleft()
            await client.publish(subject, self._encode(body))
            self.published += 1
        await client.flush(CONNECT_S)
        if not self._waiting:
            self._ready.clear()


def _levels(levels: tuple[Level, ...], scale: Scale) -> list[tuple[str, str]]:
    show, prices, sizes = money.show, scale.price_exponent, scale.qty_exponent
    return [(show(price, prices), show(size, sizes)) for price, size in levels]
