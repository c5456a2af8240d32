"""How busy a moment of the day is: the shape of volume and, its root, of volatility.

The venue's shape is that of Shanghai's composite index in July 2020, minute by minute: the first minutes
busiest, a slow decline to lunch, a rush after it, a rise to the close. A market that never closes breathes
with the hours of the day. A **beat** is a thousandth of a step at the usual pace: what happens, happens
per beat, so a busy minute simply holds more of them.
"""

from __future__ import annotations

import itertools
from typing import Final

from market.simulation.sessions import DAY_S, Sessions

USUAL: Final = 1_000
_POINTS = 14_400  # the places below are seconds into a day of four hours
_SHAPE = (
    *((0, 3_700), (120, 3_000), (420, 2_300), (900, 1_950), (1_800, 1_400), (3_600, 950), (4_800, 750)),
    *((7_200, 560), (7_800, 780), (9_000, 720), (10_800, 640), (12_600, 900), (13_800, 1_250)),
    (14_400, 1_700),
)
_RUSH = 3_300  # per mille of the usual in the first minute after a break
_HOURS = (
    *(820, 760, 720, 700, 720, 780, 860, 980, 1_120, 1_280, 1_260, 1_140),
    *(980, 1_060, 1_200, 1_260, 1_180, 1_080, 1_020, 1_040, 1_080, 1_040, 980, 900),
)


class Tempo:
    """`pace[minute of the local day]` in per mille of the usual; its mean over the open minutes is 1,000."""

    def __init__(self, sessions: Sessions, utc_offset_s: int):
        raw = _around_the_clock() if not sessions.night else _of_a_venue(sessions)
        mean = sum(raw.values()) // len(raw)
        self.pace = tuple(
            raw.get(minute, mean) * USUAL // mean if minute in raw else USUAL for minute in range(1_440)
        )
        self._offset_s = utc_offset_s
        self.day_beats = sessions.open_s * USUAL  # times steps a second

    def at(self, second: int) -> int:
        """The pace in the second since 1970."""
        return self.pace[(second + self._offset_s) % DAY_S // 60]


def _around_the_clock() -> dict[int, int]:
    return {
        minute: _between(_HOURS[minute // 60], _HOURS[(minute // 60 + 1) % 24], minute % 60, 60)
        for minute in range(1_440)
    }


def _of_a_venue(sessions: Sessions) -> dict[int, int]:
    raw: dict[int, int] = {}
    passed = 0
    for nth, (start, end) in enumerate(sessions.spans):
        for second in range(start, end, 60):
            raw[second // 60] = _shape(passed * _POINTS // sessions.open_s)
            passed += 60
        if nth:
            raw[start // 60] = raw[start // 60] * _RUSH // USUAL
    return raw


def _shape(place: int) -> int:
    for (left, low), (right, high) in itertools.pairwise(_SHAPE):
        if place < right:
            return _between(low, high, place - left, right - left)
    return _SHAPE[-1][1]


def _between(first: int, second: int, part: int, whole: int) -> int:
    return first + (second - first) * part // whole
