"""Names for rows: sortable UUIDs for what people see, dense integers for what the books count."""

from __future__ import annotations

import os
import uuid
from functools import lru_cache

from simgame.kernel import clock

WORLD_SHIFT = 40  # 2**40 rows of a kind per world; below 2**53 (a JavaScript number) for 8,191 worlds

CHANCE_BYTES, DRAWN_AT_ONCE = 10, 256
VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))  # two bits of chance behind the bits 10
_drawn: list[bytes] = []
_ends: list[str] = []  # of uuid7_text, made many at once
os.register_at_fork(after_in_child=_drawn.clear)  # a child draws its own
os.register_at_fork(after_in_child=_ends.clear)


def uuid7(now_ns: int | None = None, chance: bytes | None = None) -> uuid.UUID:
    """A UUID version 7 (RFC 9562): 48 bits of milliseconds, then 74 random bits."""
    ms = (clock.now_ns() if now_ns is None else now_ns) // clock.NS_PER_MS
    rest = int.from_bytes(_random_bits() if chance is None else chance, "big")
    high = (ms & (1 << 48) - 1) << 80
    return uuid.UUID(int=high | 0x7 << 76 | (rest >> 64 & 0xFFF) << 64 | 0b10 << 62 | rest & (1 << 62) - 1)


def uuid7_text() -> str:
    """A new UUID version 7 as its text, without the object."""
    try:
        end = _ends.pop()
    except IndexError:
        end = _draw_ends()
    return _beginning(clock.now_ns() // clock.NS_PER_MS) + end


@lru_cache(2)  # of one millisecond there are many under load
def _beginning(ms: int) -> str:
    digits = f"{ms & (1 << 48) - 1:012x}"
    return f"{digits[:8]}-{digits[8:]}-7"


def _draw_ends() -> str:
    """What stands behind the time, for many; one for the caller, whom nobody else can have."""
    digits = os.urandom(CHANCE_BYTES * DRAWN_AT_ONCE).hex()
    drawn = [digits[at : at + 2 * CHANCE_BYTES] for at in range(0, len(digits), 2 * CHANCE_BYTES)]
    ends = [f"{each[:3]}-{VARIANT[each[3]]}{each[4:7]}-{each[7:19]}" for each in drawn]
    mine = ends.pop()
    _ends.extend(ends)
    return mine


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
