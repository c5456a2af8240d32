"""Names for rows: sortable UUIDs for what people see, dense integers for what the books count."""

from __future__ import annotations

import os
import uuid

from simgame.kernel import clock

WORLD_SHIFT = 40  # 2**40 rows of a kind per world; below 2**53 (a JavaScript number) for 8,191 worlds

CHANCE_BYTES, DRAWN_AT_ONCE = 10, 256
_drawn: list[bytes] = []
os.register_at_fork(after_in_child=_drawn.clear)  # a child draws its own


def uuid7(now_ns: int | None = None, chance: bytes | None = None) -> uuid.UUID:
    """A UUID version 7 (RFC 9562): 48 bits of milliseconds, then 74 random bits."""
    ms = (clock.now_ns() if now_ns is None else now_ns) // clock.NS_PER_MS
    rest = int.from_bytes(_random_bits() if chance is None else chance, "big")
    high = (ms & (1 << 48) - 1) << 80
    return uuid.UUID(int=high | 0x7 << 76 | (rest >> 64 & 0xFFF) << 64 | 0b10 << 62 | rest & (1 << 62) - 1)


def uuid7_text() -> str:
    """A new UUID version 7 as its text, without the object."""
    ms = clock.now_ns() // clock.NS_PER_MS
    rest = int.from_bytes(_random_bits(), "big")
    head = f"{(ms & (1 << 48) - 1) << 16 | 0x7000 | (rest >> 64 & 0xFFF):016x}"
    tail = f"{0b10 << 62 | rest & (1 << 62) - 1:016x}"
    return f"{head[:8]}-{head[8:12]}-{head[12:]}-{tail[:4]}-{tail[4:]}"


def _random_bits() -> bytes:
    """Ten bytes that nobody else gets. One system call serves many ids; taking one is atomic."""
    try:
        return _drawn.pop()
    except IndexError:
        many = os.urandom(CHANCE_BYTES * DRAWN_AT_ONCE)
        _drawn.extend(many[at : at + CHANCE_BYTES] for at in range(CHANCE_BYTES, len(many), CHANCE_BYTES))
        return many[:CHANCE_BYTES]


def world_key(world_number: int, n: int) -> int:
    """The primary key of the n-th row of its kind (fill, transfer) in a world; n counts from 1."""
    return world_number << WORLD_SHIFT | n


def row_number(key: int) -> int:
    """The n of a `world_key`."""
    return key & (1 << WORLD_SHIFT) - 1
