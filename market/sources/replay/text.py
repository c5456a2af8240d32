"""Reading recorded text that may be torn: cut in the middle of a line, or of its compression."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

TORN = "torn_recording"


class Torn(Exception):
    """The recording ends in the middle: everything before has been read."""


def lines(path: Path) -> Iterator[str]:
    """Lines without their end. Raises Torn behind the last whole line when the compression is cut."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", errors="replace", newline="") as file:
        try:
            for line in file:
                yield line.rstrip("\r\n")
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Torn(f"{path.name} ends in the middle of its compressed data") from error


def numbered(path: Path) -> Iterator[tuple[int, str]]:
    """(line number from 1, line), empty lines left out."""
    for number, line in enumerate(lines(path), 1):
        if line.strip():
            yield number, line
