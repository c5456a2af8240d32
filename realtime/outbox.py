"""What a reader still has to get: conflated for LATEST and MERGE, in full for EVERY.

Pure. A group of sockets has one for the interval between two frames; a socket that reads slowly has
one of its own, with bounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from realtime.topics import Policy

Rows = dict[str, msgspec.Raw]

encode_json = msgspec.json.Encoder().encode


class Entry:
    """A message on its way out. `text` is the push frame, made once for all sockets; `rows` are the
    rows of a MERGE message."""

    __slots__ = ("epoch", "offset", "policy", "rows", "text", "topic")

    def __init__(
        self, topic: str, policy: Policy, epoch: str, offset: int, data: str, *, rows: Rows | None = None
    ):
        self.topic = topic
        self.policy = policy
        self.epoch = epoch
        self.offset = offset
        self.rows = rows
        # A topic needs no escaping (topics.TOPIC_PATTERN); an epoch may.
        quoted = encode_json(epoch).decode()
        self.text = f'{{"topic":"{topic}","epoch":{quoted},"offset":{offset},"data":{data}}}'

    @property
    def data_text(self) -> str:
        return self.text[self.text.index(',"data":') + 8 : -1]

    def data(self) -> Any:
        return msgspec.json.decode(self.data_text)


@dataclass(slots=True)
class _Merged:
    """Several MERGE messages of one topic as one: the newest row of each key."""

    entry: Entry
    rows: Rows

    def as_one(self) -> Entry:
        last = self.entry
        data = encode_json(self.rows).decode()
        return Entry(last.topic, last.policy, last.epoch, last.offset, data, rows=self.rows)


class Outbox:
    """`every_messages` and `every_bytes` bound what EVERY topics may pile up; LATEST and MERGE are
    bounded by themselves: one per topic, one per key."""

    __slots__ = ("_bytes", "_conflated", "_every", "every_bytes", "every_messages")

    def __init__(self, every_messages: int | None = None, every_bytes: int | None = None):
        self.every_messages = every_messages
        self.every_bytes = every_bytes
        self._conflated: dict[str, Entry | _Merged] = {}
        self._every: list[Entry] = []
        self._bytes = 0

    def __bool__(self) -> bool:
        return bool(self._conflated or self._every)

    def add(self, entry: Entry) -> bool:
        """False when an every-message queue has overflowed: the reader has lost its place."""
        if entry.policy is Policy.EVERY:
            self._every.append(entry)
            self._bytes += len(entry.text)
            return not self._overflowed()
        waiting = self._conflated.get(entry.topic) if entry.policy is Policy.MERGE else None
        if waiting is None:
            self._conflated[entry.topic] = entry
        elif isinstance(waiting, _Merged):
            waiting.entry = entry
            waiting.rows.update(entry.rows or {})
        else:
            self._conflated[entry.topic] = _Merged(entry, {**(waiting.rows or {}), **(entry.rows or {})})
        return True

    def add_all(self, entries: Iterable[Entry]) -> bool:
        kept = True
        for entry in entries:
            kept = self.add(entry) and kept
        return kept

    def take(self) -> list[Entry]:
        """Everything, oldest first within each topic; the outbox is empty afterwards."""
        entries = self.look()
        self.clear()
        return entries

    def look(self) -> list[Entry]:
        """What `take` would return; it stays."""
        conflated = self._conflated.values()
        return [*self._every, *[one.as_one() if isinstance(one, _Merged) else one for one in conflated]]

    def clear(self) -> None:
        self._conflated.clear()
        self._every.clear()
        self._bytes = 0

    def _overflowed(self) -> bool:
        too_many = self.every_messages is not None and len(self._every) > self.every_messages
        return too_many or (self.every_bytes is not None and self._bytes > self.every_bytes)


def frames_of(entries: Sequence[Entry], most: int) -> list[tuple[str, Sequence[Entry]]]:
    """Text frames with what is in each: an object, or an array when several are sent together; an
    array is cut before it exceeds `most` characters (one entry alone may)."""
    if len(entries) == 1:
        return [(entries[0].text, entries)]
    frames: list[tuple[str, Sequence[Entry]]] = []
    begun, size = 0, 0
    for number, entry in enumerate(entries):
        size += len(entry.text) + 1
        if size > most and number > begun:
            frames.append((_array(entries[begun:number]), entries[begun:number]))
            begun, size = number, len(entry.text) + 1
    if begun < len(entries):
        frames.append((_array(entries[begun:]), entries[begun:]))
    return frames


def _array(entries: Sequence[Entry]) -> str:
    return f"[{','.join([entry.text for entry in entries])}]" if len(entries) > 1 else entries[0].text
