"""How other processes listen to a world's feed, ask it, and steer it.

    client = FeedClient(world.number, role="exchange")
    async for ticks in client:      # for ever; the first list after every connect is a snapshot
        ...
    await client.close()

Iteration reconnects by itself with full-jitter back-off; `client.connected` tells, and
`client.snapshots` counts the snapshots seen, `client.gaps` the gaps of its sources that the feed told
(`on_gap` hears each). One-shot questions: `latest`, `status`, `control`
(async) and `ask_sync`.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import structlog

from market import errors
from market.feed import wire
from market.models import FeedLease
from market.sources.items import Gap
from market.ticks import Tick, decode_many

BACKOFF_FIRST_S = 0.1  # the feed is on this machine: a restart takes a second or two
BACKOFF_MAX_S = 3.0
ANSWER_TIMEOUT_S = 5.0

# A feed that is not there, ends in the middle, or speaks another version's language.
NOT_HEARD = (OSError, asyncio.IncompleteReadError, wire.BadFrame, msgspec.DecodeError)

log = structlog.get_logger(__name__)


class FeedClient:
    """A subscription to one world's ticks. Not thread-safe; one iteration at a time."""

    def __init__(
        self,
        world_number: int,
        *,
        role: str = "listener",
        address: str = "",
        on_gap: Callable[[Gap], None] | None = None,
    ):
        """`address` (`unix:<path>`) is read from the world's FeedLease at each connect when empty."""
        self.world_number = world_number
        self.role = role
        self.connected = False
        self.snapshots = 0
        self.gaps = 0
        self._on_gap = on_gap
        self._address = address
        self._writer: asyncio.StreamWriter | None = None
        self._seq = 0
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[list[Tick]]:
        attempt = 0
        while not self._closed:
            try:
                async for ticks in self._one_connection():
                    attempt = 0
                    yield ticks
            except (*NOT_HEARD, errors.FeedUnavailable) as error:
                if attempt == 0:  # once, however long it takes until it is there
                    event = "feed_lost" if self.snapshots else "feed_awaited"
                    log.info(event, world=self.world_number, role=self.role, why=str(error))
            finally:
                await self._disconnect()
            if not self._closed:
                await asyncio.sleep(random.uniform(0, min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2**attempt)))
                attempt = min(attempt + 1, 10)

    async def _one_connection(self) -> AsyncIterator[list[Tick]]:
        path = path_of(self._address or await address_of(self.world_number))
        reader, self._writer = await asyncio.open_unix_connection(path, limit=1 << 20)
        self._send({"role": self.role})
        snapshot = decode_many(await wire.read_frame(reader))
        self.connected = True
        self._took_snapshot(snapshot)
        yield snapshot
        while True:
            ticks = self._understand(await wire.read_frame(reader))
            if ticks:
                yield ticks

    def _understand(self, payload: bytes) -> list[Tick]:
        """Ticks of a live frame; asks for a snapshot when numbers are missing."""
        if not wire.is_ticks(payload):
            return self._understand_map(payload)
        ticks = decode_many(payload)
        if ticks and ticks[0].seq > self._seq + 1:
            log.warning("feed_gap", world=self.world_number, expected=self._seq + 1, got=ticks[0].seq)
            self._send({"op": "snapshot"})
        return self._newer(ticks)

    def _understand_map(self, payload: bytes) -> list[Tick]:
        answer = wire.decode_map(payload)
        if answer.get("op") == "conflated":
            return self._newer(wire.decode_conflated(payload).ticks)
        if answer.get("op") == "gap":
            self.gaps += 1
            if self._on_gap is not None:
                self._on_gap(wire.decode_gap(payload).gap)
            return []
        if answer.get("op") == "snapshot":
            snapshot = decode_many(wire.encode_map(answer["ticks"]))
            self._took_snapshot(snapshot)
            return snapshot
        log.warning("feed_answer_not_understood", op=answer.get("op"), detail=answer.get("detail"))
        return []

    def _newer(self, ticks: list[Tick]) -> list[Tick]:
        if ticks and ticks[0].seq > self._seq:  # of one batch, numbers rise
            fresh = ticks
        else:
            fresh = [tick for tick in ticks if tick.seq > self._seq]
        if fresh:
            self._seq = fresh[-1].seq
        return fresh

    def _took_snapshot(self, snapshot: list[Tick]) -> None:
        self.snapshots += 1
        self._seq = max((tick.seq for tick in snapshot), default=0)

    def _send(self, message: dict[str, Any]) -> None:
        assert self._writer is not None
        self._writer.write(wire.frame(wire.encode_map(message)))

    async def _disconnect(self) -> None:
        self.connected = False
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    async def close(self) -> None:
        """Ends the iteration at its next step."""
        self._closed = True
        await self._disconnect()


async def latest(world_number: int) -> dict[str, Any]:
    """The snapshot with its rows: keys seq, epoch, ticks, quotes, depth, phase, statistics."""
    return await ask(await address_of(world_number), {"op": "latest"})


async def status(world_number: int) -> dict[str, Any]:
    """Source state, counters, queues: what `manage.py feed status` prints."""
    return await ask(await address_of(world_number), {"op": "status"})


async def control(world_number: int, **wanted: Any) -> dict[str, Any]:
    """paused=True|False, speed=N, seek=<RFC 3339 or HH:MM:SS>. Raises BadControl when refused."""
    return await ask(await address_of(world_number), {"op": "control", **wanted})


async def ask(address: str, question: dict[str, Any]) -> dict[str, Any]:
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            reader, writer = await asyncio.open_unix_connection(path_of(address), limit=1 << 20)
            try:
                writer.write(wire.frame(wire.encode_map(question)))
                return _checked(wire.decode_map(await wire.read_frame(reader)))
            finally:
                writer.close()
    except (*NOT_HEARD, TimeoutError) as error:
        raise errors.FeedUnavailable(f"The feed at {address} does not answer: {error!r}.") from error


class Line:
    """For questions again and again: where a world's feed listens is looked up when it did not answer."""

    def __init__(self, world_number: int):
        self.world_number = world_number
        self._address = ""

    async def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        self._address = self._address or await address_of(self.world_number)
        try:
            return await ask(self._address, question)
        except errors.FeedUnavailable:
            self._address = ""
            raise


def ask_sync(world_number: int, question: dict[str, Any]) -> dict[str, Any]:
    """As `ask`, for commands, sync views and Celery."""
    address = _address_in(FeedLease.objects.filter(world_id=world_number).first(), world_number)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_TIMEOUT_S)
            connection.connect(path_of(address))
            connection.sendall(wire.frame(wire.encode_map(question)))
            return _checked(wire.decode_map(wire.read_frame_sync(connection)))
    except NOT_HEARD as error:
        raise errors.FeedUnavailable(f"The feed at {address} does not answer: {error}.") from error


async def address_of(world_number: int) -> str:
    """Where the world's feed listens. Raises FeedUnavailable when none ever did."""
    return _address_in(await FeedLease.objects.filter(world_id=world_number).afirst(), world_number)


def path_of(address: str) -> str:
    kind, _, path = address.partition(":")
    if kind != "unix" or not path:
        raise errors.FeedUnavailable(f"The feed's address {address!r} is not of the form unix:<path>.")
    return path


def _address_in(lease: FeedLease | None, world_number: int) -> str:
    if lease is None or not lease.address:
        raise errors.FeedUnavailable(f"No feed of world {world_number} has been started yet.")
    return lease.address


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    if answer.get("op") == "error":
        raise errors.BadControl(str(answer.get("detail", "")))
    return answer
