"""Latencies of many messages in little room: buckets of ten microseconds up to two seconds."""

from __future__ import annotations

from array import array
from typing import Any

BUCKET_NS = 10_000
BUCKETS = 200_000


class Spread:
    def __init__(self) -> None:
        self.buckets = array("q", bytes(8 * BUCKETS))
        self.count = 0
        self.max_ns = 0

    def add(self, ns: int) -> None:
        self.buckets[min(BUCKETS - 1, max(0, ns) // BUCKET_NS)] += 1
        self.count += 1
        self.max_ns = max(self.max_ns, ns)

    def at(self, part: float) -> float | None:
        """Milliseconds that `part` (0 to 1) of all stay below; None without any."""
        rank, seen = part * self.count, 0
        for bucket, number in enumerate(self.buckets):
            seen += number
            if number and seen >= rank:
                return round((bucket + 1) * BUCKET_NS / 1e6, 2)
        return None

    def facts(self) -> dict[str, Any]:
        """In milliseconds."""
        names = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
        facts: dict[str, Any] = {name: self.at(part) for name, part in names.items()}
        return facts | {"max_ms": round(self.max_ns / 1e6, 2)}
