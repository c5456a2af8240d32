"""Sockets that read the same topics at the same interval: one outbox, one frame, many readers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from realtime.outbox import Entry, Outbox, frames_of
from realtime.wire import text_frame

if TYPE_CHECKING:
    from realtime.connection import Socket
    from realtime.counters import Counters
    from realtime.state import TopicState

GroupKey = tuple[int, bool, frozenset[str]]  # interval in ms, private, topics


class Group:
    """Collects the messages of its topics; `flush` makes the frame once and gives the same object to
    every member. With an interval the flushes stand on a grid whose phase depends on the group, so
    that a thousand groups do not flush in the same millisecond."""

    def __init__(self, key: GroupKey, states: list[TopicState], counters: Counters, array_bytes: int):
        self.key = key
        self.interval_s = key[0] / 1000
        self.states = states
        self.members: tuple[Socket, ...] = ()  # replaced, never changed: a loop may be running
        self._phase = hash(key) % 997 / 997 * self.interval_s
        self._pending: list[Entry] = []  # interval 0
        self._outbox = Outbox()  # otherwise
        self._timer: asyncio.TimerHandle | None = None
        self._counters = counters
        self._array_bytes = array_bytes

    def add(self, entry: Entry) -> None:
        """Call `flush` soon when the interval is 0; otherwise it comes by itself."""
        if not self.interval_s:
            self._pending.append(entry)
            return
        self._outbox.add(entry)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            slots = int((loop.time() - self._phase) / self.interval_s) + 1
            self._timer = loop.call_at(self._phase + slots * self.interval_s, self.flush)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        entries = self._outbox.take() if self.interval_s else self._pending
        if not entries:
            return
        self._pending = []
        for text, part in frames_of(entries, self._array_bytes):
            frame = text_frame(text)
            for member in self.members:
                member.push(frame, part)
            self._counters.frames_out += len(self.members)

    def join(self, socket: Socket) -> None:
        """What is pending belongs to the former members: it is part of the newcomer's snapshot."""
        self.flush()
        self.members = (*self.members, socket)

    def leave(self, socket: Socket) -> None:
        self.flush()
        self.members = tuple(member for member in self.members if member is not socket)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
