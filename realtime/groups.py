"""Sockets that read the same topics at the same interval: one outbox, one frame, many readers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from realtime.outbox import Entry, Outbox, frames_of
from realtime.wire import text_frame

if TYPE_CHECKING:
    from realtime.connection import Socket
    from realtime.counters import Counters
    from realtime.state import TopicState

GroupKey = tuple[int, bool, frozenset[str]]  # interval in ms, private, topics
Positions = dict[str, tuple[str | None, int]]  # topic → epoch, offset


class Group:
    """Collects the messages of its topics; `flush` makes the frame once and gives the same object to
    every member. With an interval the flushes stand on a grid whose phase depends on the group, so
    that a thousand groups do not flush in the same millisecond.

    Who joins or leaves does not make the others flush: where thousands come back at once, their frames
    would be sent at every arrival instead of once an interval.
    """

    def __init__(self, key: GroupKey, states: list[TopicState], counters: Counters, array_bytes: int):
        self.key = key
        self.interval_s = key[0] / 1000
        self.states = states
        self.members: tuple[Socket, ...] = ()  # replaced, never changed: a loop may be running
        self._newcomers: dict[Socket, Positions] = {}  # members since the last flush: what they have
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
        self._stop_timer()
        entries = self._outbox.take() if self.interval_s else self._pending
        if not entries:
            return
        self._pending = []
        members: Sequence[Socket] = self.members
        if self._newcomers:
            members = [member for member in members if member not in self._newcomers]
            self._give_newcomers(entries)
        self._give(members, entries)

    def join(self, socket: Socket) -> None:
        """What is pending is part of the newcomer's snapshot; what is added to it from now on is not."""
        self.members = (*self.members, socket)
        if self._is_pending:
            self._newcomers[socket] = {state.topic: (state.epoch, state.offset) for state in self.states}

    def leave(self, socket: Socket, *, stays: bool) -> None:
        """`stays`: it goes on reading some of the topics; it gets what is pending here now."""
        if stays and self._is_pending:
            pending = self._outbox.look() if self.interval_s else self._pending
            self._give([socket], _newer(pending, self._newcomers.get(socket, {})))
        self._newcomers.pop(socket, None)
        place = self.members.index(socket)
        self.members = self.members[:place] + self.members[place + 1 :]

    def end(self) -> None:
        self._stop_timer()

    @property
    def _is_pending(self) -> bool:
        return bool(self._outbox if self.interval_s else self._pending)

    def _give_newcomers(self, entries: Sequence[Entry]) -> None:
        """Those who came between the same two messages get the same frame."""
        alike: dict[tuple[int, ...], list[Socket]] = {}
        for socket, positions in self._newcomers.items():
            news = tuple(n for n, entry in enumerate(entries) if _is_news(entry, positions))
            alike.setdefault(news, []).append(socket)
        self._newcomers = {}
        for news, sockets in alike.items():
            self._give(sockets, [entries[n] for n in news])

    def _give(self, sockets: Sequence[Socket], entries: Sequence[Entry]) -> None:
        for text, part in frames_of(entries, self._array_bytes):
            frame = text_frame(text)
            for socket in sockets:
                socket.push(frame, part)
            self._counters.frames_out += len(sockets)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _newer(entries: Sequence[Entry], positions: Positions) -> list[Entry]:
    return [entry for entry in entries if _is_news(entry, positions)]


def _is_news(entry: Entry, positions: Positions) -> bool:
    epoch, offset = positions.get(entry.topic, (None, 0))
    return entry.epoch != epoch or entry.offset > offset
