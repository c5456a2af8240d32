"""Chance in whole numbers: the same seed gives the same values on every platform.

No float and no libm takes part. The live market draws from `Dice`: BLAKE2b (RFC 7693) of a counter under
a key, so a draw depends on nothing but (seed, what, when) and there is no generator to save. The past
draws from `random.Random` (Mersenne Twister), whose bits are fixed too. Bits are counted for normal
variables, exponentials come from ladders built with integer arithmetic.
"""

from __future__ import annotations

import hashlib
from itertools import accumulate
from random import Random
from struct import Struct
from typing import Final

ONE: Final = 10**12  # a return of 100 %
E_ONE: Final = 1 << 10  # the ladder's 1.0

_STEP_NUM, _STEP_DEN = 1_031_743_407_499, 10**12  # exp(1/32)
_RUNGS_PER_LOG = 32
_RUNGS = 3 * _RUNGS_PER_LOG  # each way: exp(-3) to exp(3)


def source(seed: int, *names: object) -> Random:
    """A stream of chance of its own for (seed, names); seeding with text hashes it with SHA-512."""
    return Random(":".join(map(str, (seed, *names))))


_COUNTER = Struct("<QQ").pack
_BLOCK_BITS = 512
_EXTRA = 1 << 40  # streams above it continue those whose block was not enough


class Dice:
    """The chance of one moment: 512 bits for (key, stream, at), and more of them when they are used up."""

    __slots__ = ("_at", "_bits", "_key", "_left", "_stream")

    def __init__(self, key: hashlib.blake2b, stream: int, at: int):
        self._key, self._stream, self._at = key, stream, at
        self._bits, self._left = _block(key, stream, at), _BLOCK_BITS

    def getrandbits(self, count: int) -> int:
        """`count` fresh bits, at most 512, as a whole number."""
        if count > self._left:
            self._stream += _EXTRA
            self._bits, self._left = _block(self._key, self._stream, self._at), _BLOCK_BITS
        bits = self._bits
        self._bits, self._left = bits >> count, self._left - count
        return bits & ((1 << count) - 1)


def _block(key: hashlib.blake2b, stream: int, at: int) -> int:
    hashed = key.copy()
    hashed.update(_COUNTER(stream, at))
    return int.from_bytes(hashed.digest(), "little")


def key_of(seed: int, start_ns: int) -> hashlib.blake2b:
    """What all dice of one market are thrown with."""
    secret = hashlib.sha256(f"simgame street:{seed}:{start_ns}".encode()).digest()
    return hashlib.blake2b(key=secret, digest_size=64)


def normal4(rng: Random | Dice) -> int:
    """A normal variable with mean 0 and standard deviation 4, in whole numbers (64 coins)."""
    return rng.getrandbits(64).bit_count() - 32


def fine_normal(rng: Random | Dice) -> int:
    """As `normal4` with standard deviation 16: 1,024 coins, for draws that are not summed up."""
    return rng.getrandbits(512).bit_count() + rng.getrandbits(512).bit_count() - 512


def _ladder() -> tuple[int, ...]:
    up = [1 << 60]
    for _ in range(_RUNGS):
        up.append(up[-1] * _STEP_NUM // _STEP_DEN)
    down = [(1 << 120) // rung for rung in reversed(up[1:])]
    return tuple(rung * E_ONE >> 60 for rung in (*down, *up))


_LADDER = _ladder()
LOG_ONE: Final = 1 << 16  # fixed point of a logarithm
_LOG_PER_RUNG = LOG_ONE // _RUNGS_PER_LOG


def exp(log: int) -> int:
    """E_ONE · e^(log / LOG_ONE), within e^-3 … e^3, in steps of 3 %."""
    return _LADDER[min(max(log // _LOG_PER_RUNG + _RUNGS, 0), 2 * _RUNGS)]


def rounded(numerator: int, denominator: int) -> int:
    """To the nearest whole number; halves up. The numerator may be negative."""
    return (2 * numerator + denominator) // (2 * denominator)


WAIT_ONE: Final = 1 << 12  # the mean of WAITS
# The 256 quantiles of an exponential distribution: expected order statistics, sums of 1/j.
WAITS: Final = tuple(accumulate(WAIT_ONE // j for j in range(256, 0, -1)))


def halving(steps: int, longest: int) -> tuple[int, ...]:
    """2^16 · 2^(-k / steps) for k = 0 … longest: what is left after k of something that halves in `steps`."""
    low, high = 0, 1 << 32
    while high - low > 1:  # the root of one half, in 32 bits
        middle = (low + high) // 2
        low, high = (middle, high) if middle**steps <= 1 << (32 * steps - 1) else (low, middle)
    left, values = 1 << 48, []
    for _ in range(longest + 1):
        values.append(left >> 32)
        left = left * low >> 32
    return tuple(values)
