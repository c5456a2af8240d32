"""Reads a feed's write-ahead log while it grows. Written apart from the feed's own reader: it is a judge."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from market.feed import wal

CHUNK = 8 * 1024 * 1024


class Tail:
    """`new()` gives every whole record since the last call. What is torn is read again when it is whole."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.segment, self.offset = "", 0
        self.bytes = 0

    def new(self) -> Iterator[wal.Written]:
        for payload in self._payloads():
            yield wal.decode(payload)

    def last_segment(self) -> Path:
        """The file that the feed writes now."""
        return wal.segments(self.folder)[-1]

    def _payloads(self) -> Iterator[bytes]:
        for path in wal.segments(self.folder):
            if path.name < self.segment:
                continue
            if path.name > self.segment:
                self.segment, self.offset = path.name, 0
            yield from self._of(path)

    def _of(self, path: Path) -> Iterator[bytes]:
        with path.open("rb") as file:
            if self.offset == 0:
                if file.read(len(wal.MAGIC)) != wal.MAGIC:
                    return
                self.offset = len(wal.MAGIC)
            while True:
                data = os.pread(file.fileno(), CHUNK, self.offset)
                used = 0
                while payload := _whole(data, used):
                    used += wal.HEAD_BYTES + len(payload)
                    yield payload
                self.offset += used
                self.bytes += used
                if not used:
                    return


def _whole(data: bytes, at: int) -> bytes:
    """The payload of the record at `at`; b"" when it is not whole yet."""
    begin = at + wal.HEAD_BYTES
    length = int.from_bytes(data[at : at + 4], "big")
    payload = data[begin : begin + length]
    if not length or len(payload) < length:
        return b""
    return payload if zlib.crc32(payload) == int.from_bytes(data[at + 4 : begin], "big") else b""
