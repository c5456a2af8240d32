"""The log outside the system: what was wished, what was told. On disk before and after each call.

One file per player, one line of JSON per entry, each entry fsynced. Times are monotonic nanoseconds,
the same clock for all processes of the machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

NAME = "player-{}.log"
EXECUTED = frozenset((200, 204, 207))
UNDECIDED = frozenset((0, 429, 500, 502, 503, 504))  # 0: the connection broke or nothing came in time


class Wish(msgspec.Struct, tag="wish", tag_field="entry"):
    """What a player is about to ask, again and again under the same key until the answer is certain.

    again: number of an earlier wish that this one repeats; reuse: the key belongs to another request.
    """

    n: int
    at_ns: int
    portfolio: int
    kind: str  # as in the journal: new_order, cancel, replace, cancel_all
    key: str
    method: str
    path: str
    body: dict[str, Any] | None = None
    again: int = 0
    reuse: bool = False


class Answer(msgspec.Struct, tag="answer", tag_field="entry"):
    """What came back of one attempt."""

    n: int  # of the wish
    sent_ns: int
    at_ns: int
    status: int
    replayed: bool = False
    body: Any = None

    @property
    def decided(self) -> bool:
        return self.status not in UNDECIDED

    @property
    def order(self) -> dict[str, Any] | None:
        """The order as it was shown, also a stored rejection."""
        if not isinstance(self.body, dict):
            return None
        found = self.body.get("order") if "code" in self.body else self.body
        return found if isinstance(found, dict) and "id" in found else None

    @property
    def reason(self) -> str:
        return str(self.body.get("reason", "")) if isinstance(self.body, dict) else ""

    @property
    def executed(self) -> bool:
        return self.status in EXECUTED or self.order is not None

    @property
    def surely_not_executed(self) -> bool:
        return isinstance(self.body, dict) and self.body.get("outcome") == "not_executed"


class Look(msgspec.Struct, tag="look", tag_field="entry"):
    """What a player read of their desk, whole."""

    portfolio: int
    sent_ns: int
    at_ns: int
    desk: dict[str, Any]


Entry = Wish | Answer | Look
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Entry).decode


class Writer:
    def __init__(self, path: Path):
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, entry: Entry) -> None:
        """On return it survives whatever happens to us."""
        os.write(self._file, _encode(entry) + b"\n")
        os.fdatasync(self._file)

    def close(self) -> None:
        os.close(self._file)


class Reader:
    """Reads on where it stopped, over all players."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._read: dict[Path, int] = {}

    def news(self) -> Iterator[tuple[str, Entry]]:
        """(player's file, entry) in the order of each file."""
        for path in sorted(self.folder.glob(NAME.format("*"))):
            with open(path, "rb") as log:
                log.seek(self._read.get(path, 0))
                data = log.read()
            whole = data.rfind(b"\n") + 1
            self._read[path] = self._read.get(path, 0) + whole
            for line in data[:whole].splitlines():
                yield path.name, _decode(line)
