"""Chance in whole numbers: the same seed gives the same values on every platform.

No float and no libm takes part: `random.Random` (Mersenne Twister) gives bits, bits are counted,
exponentials come from a ladder built with integer arithmetic.
"""

from __future__ import annotations

from random import Random
from typing import Final

ONE: Final = 10**12  # a return of 100 %
E_ONE: Final = 1 << 10  # the ladder's 1.0

_STEP_NUM, _STEP_DEN = 1_031_743_407_499, 10**12  # exp(1/32)
_RUNGS_PER_LOG = 32
_RUNGS = 3 * _RUNGS_PER_LOG  # each way: exp(-3) to exp(3)


def source(seed: int, *names: object) -> Random:
    """A stream of chance of its own for (seed, names); seeding with text hashes it with SHA-512."""
    return Random(":".join(map(str, (seed, *names))))


def normal4(rng: Random) -> int:
    """A normal variable with mean 0 and standard deviation 4, in whole numbers (64 coins)."""
    return rng.getrandbits(64).bit_count() - 32


def fine_normal(rng: Random) -> int:
    """As `normal4` with standard deviation 16: 1,024 coins, for draws that are not summed up."""
    return rng.getrandbits(1024).bit_count() - 512


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
