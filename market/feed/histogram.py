"""Latencies, counted by how long they were.

They are observed once per batch, with the age of its oldest message and the weight of all of them: an
upper bound, at a cost that no message feels. Ticks that the feed says again by itself count as they came.
"""

from __future__ import annotations

from bisect import bisect_left

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


class Histogram:
    """Seconds. `counts[n]`: of those up to BOUNDS_S[n], and above all of them the last."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def observe(self, seconds: float, weight: int = 1) -> None:
        self.counts[bisect_left(BOUNDS_S, seconds)] += weight
        self.sum_s += max(0.0, seconds) * weight
