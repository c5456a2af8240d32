"""Latencies of many messages in little room: buckets of ten microseconds up to two seconds.

Only buckets that hold something are kept and looked at: whoever asks while messages come must not hold
them up, or the question is what is measured.
"""

from __future__ import annotations

from typing import Any

BUCKET_NS = 10_000
BUCKETS = 200_000


class Spread:
    def __init__(self) -> None:
        self.buckets: dict[int, int] = {}
        self.count = 0
        self.max_ns = 0

    def add(self, ns: int) -> None:
        bucket, buckets = ns // BUCKET_NS, self.buckets
        if not 0 <= bucket < BUCKETS:
            bucket = 0 if bucket < 0 else BUCKETS - 1
        buckets[bucket] = buckets.get(bucket, 0) + 1
        self.count += 1
        self.max_ns = max(self.max_ns, ns)

    def at(self, *parts: float) -> list[float | None]:
        """Milliseconds that each of `parts` (0 to 1, rising) of all stay below; None without any."""
        found: list[float | None] = []
        seen, buckets = 0, iter(sorted(self.buckets.items()))
        bucket = 0
        for part in parts:
            while seen < part * self.count:
                bucket, number = next(buckets)
                seen += number
            found.append(round((bucket + 1) * BUCKET_NS / 1e6, 2) if self.count else None)
        return found

    def facts(self) -> dict[str, Any]:
        """In milliseconds."""
        names = ("p50_ms", "p95_ms", "p99_ms")
        return dict(zip(names, self.at(0.5, 0.95, 0.99), strict=True)) | {
            "max_ms": round(self.max_ns / 1e6, 2)
        }
