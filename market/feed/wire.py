"""What the feed and its downstreams say to each other over a Unix socket.

A frame is 4 bytes of length (big-endian) and msgpack. A msgpack *list* is ticks (`market.ticks`);
a *map* is everything else: the client's hello and requests, the feed's answers, and ticks that were
conflated because the reader was slow (`{"op": "conflated", "ticks": [...]}`).

    client → {"role": "exchange"}                     first frame; then the feed answers with the
    feed   → [PhaseTick, Reference…, Quote…]          snapshot and goes on with live ticks
    client → {"op": "latest" | "trades" | "status" | "control", …}     at any time, also without a role
    feed   → {"op": "latest", "ticks": […], "quotes": {…}, "depth": {…}, "phase": {…}, …}
    feed   → {"op": "gap", "gap": {"source": …, "symbol": "" for all, "at_ns": …,
              "first_missing": …, "last_missing": …}}      messages are missing before the next tick
    feed   → {"op": "error", "code": "…", "detail": "…"}
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import msgspec

from market.sources.items import Gap
from market.ticks import Tick

FRAME_BYTES_MAX = 16 * 1024 * 1024  # a snapshot of 5,000 instruments is 4 MB; more is a broken peer
LENGTH_BYTES = 4


class Conflated(msgspec.Struct, frozen=True, tag_field="op", tag="conflated"):
    """Ticks for a slow reader: the latest quote of each instrument, every print. Their `seq` has gaps."""

    ticks: list[Tick]


class GapSaid(msgspec.Struct, frozen=True, tag_field="op", tag="gap"):
    """Messages of a source are missing here (numbers 0: how many is not known)."""

    gap: Gap


encode_map = msgspec.msgpack.Encoder().encode
decode_map = msgspec.msgpack.Decoder(dict[str, Any]).decode
decode_conflated = msgspec.msgpack.Decoder(Conflated).decode
decode_gap = msgspec.msgpack.Decoder(GapSaid).decode


class BadFrame(ValueError):
    """The peer sent what cannot be a frame: the connection is of no more use."""


def frame(payload: bytes) -> bytes:
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload


def gap_payload(gap: Gap) -> bytes:
    return encode_map(GapSaid(gap))


def is_ticks(payload: bytes) -> bool:
    """Whether the payload is a list (msgpack fixarray, array16, array32)."""
    return payload[0] & 0xF0 == 0x90 or payload[0] in (0xDC, 0xDD)


def checked_length(head: bytes) -> int:
    length = int.from_bytes(head, "big")
    if not 0 < length <= FRAME_BYTES_MAX:
        raise BadFrame(f"a frame of {length} bytes (1 to {FRAME_BYTES_MAX} are possible)")
    return length


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """The next payload. Raises asyncio.IncompleteReadError at the end, BadFrame on nonsense."""
    return await reader.readexactly(checked_length(await reader.readexactly(LENGTH_BYTES)))


def read_frame_sync(connection: socket.socket) -> bytes:
    return _read_exactly(connection, checked_length(_read_exactly(connection, LENGTH_BYTES)))


def _read_exactly(connection: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        part = connection.recv(length - len(parts))
        if not part:
            raise ConnectionResetError("the feed closed the connection")
        parts += part
    return bytes(parts)
