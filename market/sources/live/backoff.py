"""How long to wait before the next attempt: full jitter, so that a thousand clients do not come at once."""

from __future__ import annotations

import random
from collections import deque

from simgame.kernel import clock

BASE_S = 0.5
CAP_S = 30.0
RESET_S = 60.0  # a connection that lived this long was a good one: the next wait begins small again
CUT_S = 2.0  # at most, after a connection that was live and ended without a word of the venue
CUTS_MAX, CUTS_S = 60, 300.0  # so often within this: a fifth of what the strictest venue allows (Binance)


class Backoff:
    """`next` gives a wait in [0, min(CAP_S, BASE_S x 2^n)] for the n-th failure in a row.

    A cut is the network's doing: growing patience would spare no venue. But what looks like one again and
    again may be a venue that hangs up on us, so that their number is limited.
    """

    def __init__(self, chance: random.Random | None = None):
        self.failures = 0
        self._cuts: deque[float] = deque()
        self._chance = chance or random.Random()

    def next(self, lived_s: float, *, cut: bool = False) -> float:
        """Seconds to wait. lived_s: how long the last connection was live (0: it never was)."""
        if lived_s >= RESET_S:
            self.failures = 0
        if cut and lived_s and self._may_be_cut(clock.monotonic_s()):
            return self._chance.uniform(0.0, CUT_S)
        highest = min(CAP_S, BASE_S * 2 ** min(self.failures, 10))
        self.failures += 1
        return self._chance.uniform(0.0, highest)

    def _may_be_cut(self, now_s: float) -> bool:
        while self._cuts and now_s - self._cuts[0] >= CUTS_S:
            self._cuts.popleft()
        if len(self._cuts) >= CUTS_MAX:
            return False
        self._cuts.append(now_s)
        return True
