"""How long to wait before the next attempt: full jitter, so that a thousand clients do not come at once."""

from __future__ import annotations

import random

BASE_S = 0.5
CAP_S = 30.0
RESET_S = 60.0  # a connection that lived this long was a good one: the next wait begins small again


class Backoff:
    """`next` gives a wait in [0, min(CAP_S, BASE_S x 2^n)] for the n-th failure in a row."""

    def __init__(self, chance: random.Random | None = None):
        self.failures = 0
        self._chance = chance or random.Random()

    def next(self, lived_s: float) -> float:
        """Seconds to wait. lived_s: how long the last connection was live (0: it never was)."""
        if lived_s >= RESET_S:
            self.failures = 0
        highest = min(CAP_S, BASE_S * 2 ** min(self.failures, 10))
        self.failures += 1
        return self._chance.uniform(0.0, highest)
