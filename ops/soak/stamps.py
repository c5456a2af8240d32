"""When each message left the venue, for whoever measures in another process: times in a shared file."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from pathlib import Path

KEPT = 8_192  # times per instrument and kind: more than is ever under way
BYTES = 8


class Stamps:
    """`of(place, trade, number)`: nanoseconds since 1970, 0 for what never left."""

    def __init__(self, path: Path, symbols: Sequence[str], *, fresh: bool = False):
        self.places = {symbol: place for place, symbol in enumerate(symbols)}
        size = len(symbols) * 2 * KEPT * BYTES
        if fresh:
            path.write_bytes(bytes(size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), size)
        self.times = memoryview(self._map).cast("q")

    @staticmethod
    def slot(place: int, trade: bool, number: int) -> int:
        return (place * 2 + trade) * KEPT + number % KEPT

    def of(self, place: int, trade: bool, number: int) -> int:
        return self.times[self.slot(place, trade, number)]
