"""A whole recorded connection to a crypto venue, as the recorder of cryptofeed writes it.

Files `<NAME>.0` (REST answers from before), `<NAME>.http.*` (snapshots), `<NAME>.ws.*` (frames). Lines:
`url -> epoch: body` for REST, `url <-> epoch` when a socket opened, `url <- epoch: json` for what was
sent, `epoch: json` for frames; `epoch` is the local receive time in seconds.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from market import errors
from market.sources.replay import text
from simgame.kernel.clock import NS_PER_S

Message = tuple[int, str, Any]  # received ns, "rest" | "frame" | "unreadable", (url, body) | body


def info_of(path: Path) -> Path:
    return path.parent / f"{path.name.split('.')[0]}.0"


def of_venue(path: Path, name: str) -> bool:
    """Whether `path` is one of the files of a connection to this venue."""
    return path.is_file() and info_of(path).is_file() and path.name.split(".")[0].startswith(name)


class Files:
    """The files beside `<NAME>.0`. Raises RecordingUnknown when no frames are among them."""

    def __init__(self, info: Path):
        self.info = info
        stem = info.name.split(".")[0]
        self.rest = sorted(info.parent.glob(f"{stem}.http.*"))
        self.frames = sorted(info.parent.glob(f"{stem}.ws.*"))
        if not self.frames:
            raise errors.RecordingUnknown(f"{info} is a recorded connection without its {stem}.ws.* frames.")

    def messages(self) -> Iterator[Message]:
        """REST answers and frames of all files, by receive time."""
        streams = [messages_of(path) for path in (*self.rest, *self.frames)]
        return heapq.merge(*streams, key=lambda message: message[0])

    def first_answer(self) -> Any:
        """What the venue said of its instruments; None when nothing can be read."""
        return next((body[1] for _, kind, body in messages_of(self.info) if kind == "rest"), None)

    def asked(self) -> Iterator[str]:
        """The addresses of the snapshots."""
        for path in self.rest:
            yield from (body[0] for _, kind, body in messages_of(path) if kind == "rest")

    def span(self) -> tuple[int, int]:
        """Receive times of the first and the last whole frame. Raises RecordingUnknown: there is none."""
        times = [at for path in self.frames for at, kind, _ in messages_of(path) if kind == "frame"]
        if not times:
            raise errors.RecordingUnknown(f"{self.info} is a recorded connection without a whole frame.")
        return times[0], times[-1]


def messages_of(path: Path) -> Iterator[Message]:
    """The messages of one file. What cannot be read is "unreadable"; a torn end is the last of these."""
    last_ns = 0
    waiting: Message | None = None
    for number, line in text.numbered(path):
        if waiting:
            yield waiting
            waiting = None
        try:
            message = _message(line)
        except ValueError:
            waiting = (last_ns, "unreadable", ("unreadable_message", f"{path.name}:{number}: {line[:200]}"))
            continue
        if message:
            last_ns = message[0]
            yield message
    if waiting:
        yield (waiting[0], "unreadable", (text.TORN, waiting[2][1]))


def _message(line: str) -> Message | None:
    """None for lines that carry no message. Raises ValueError."""
    if " <-> " in line or " <- " in line[:400] or line.startswith("configuration: "):
        return None
    if line.startswith("http"):
        url, _, rest = line.partition(" -> ")
        epoch, _, body = rest.partition(": ")
        return _epoch_ns(epoch), "rest", (url, json.loads(body))
    epoch, _, body = line.partition(": ")
    frame = json.loads(body)
    if not isinstance(frame, dict):
        raise ValueError("a frame is an object")
    return _epoch_ns(epoch), "frame", frame


def _epoch_ns(epoch: str) -> int:
    """ "1633998511.132921" → nanoseconds. Raises ValueError."""
    seconds, _, rest = epoch.strip().partition(".")
    return int(seconds) * NS_PER_S + int((rest or "0").ljust(9, "0")[:9])
