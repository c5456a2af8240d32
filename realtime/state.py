"""What the worker knows of one topic: its position, its state, and what was said last. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from realtime.limits import Limits
from realtime.outbox import Entry, Rows, encode_json
from realtime.publish import Message
from realtime.topics import Policy, Snapshot, TopicKind

if TYPE_CHECKING:
    from realtime.groups import Group

_decode_rows = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
NO_ROW = b"null"


class Verdict(Enum):
    NEW = "new"
    OLD = "old"  # not newer than what we have: drop
    GAP = "gap"  # messages between are missing
    OTHER_EPOCH = "other epoch"  # the numbering began again


class TopicState:
    """Follows the messages of one topic. `rows` stays None for a MERGE topic until its owner has
    been asked: a patch without a base is no state."""

    __slots__ = (
        "_snapshot_text",
        "ahead",
        "epoch",
        "groups",
        "history",
        "kind",
        "last",
        "offset",
        "opening",
        "refreshing",
        "rows",
        "topic",
    )

    def __init__(self, topic: str, kind: TopicKind, limits: Limits):
        self.topic = topic
        self.kind = kind
        kept = {
            Policy.EVERY: limits.history_every,
            Policy.MERGE: limits.history_merge,
            Policy.LATEST: limits.history_latest,
        }[kind.policy]
        self.history: deque[Entry] = deque(maxlen=kept)
        self.groups: dict[Group, None] = {}
        self.opening = 0  # subscriptions that are being prepared
        self.refreshing = False
        self.ahead = 0  # the highest offset seen behind a gap
        self.forget()

    def forget(self) -> None:
        """Back to knowing nothing, position included."""
        self.epoch: str | None = None
        self.offset = 0
        self.last: Entry | None = None
        self.rows: Rows | None = None
        self._snapshot_text: str | None = None
        self.history.clear()

    @property
    def wanted(self) -> bool:
        return bool(self.groups) or self.opening > 0

    @property
    def has_state(self) -> bool:
        """Can answer with a snapshot without asking the owner."""
        return self._snapshot_text is not None or self.last is not None or self.rows is not None

    def judge(self, epoch: str, offset: int) -> Verdict:
        if self.epoch is None:
            return Verdict.NEW
        if epoch != self.epoch:
            return Verdict.OTHER_EPOCH
        if offset <= self.offset:
            return Verdict.OLD
        if self.kind.policy is Policy.LATEST or offset == self.offset + 1:
            return Verdict.NEW
        return Verdict.GAP

    def accept(self, message: Message) -> Entry:
        """Takes a message that was judged NEW. Raises ValueError when its data is no JSON object."""
        rows = _decode_rows(message.data) if self.kind.policy is Policy.MERGE else None
        entry = Entry(
            self.topic, self.kind.policy, message.epoch, message.offset, message.data.decode(), rows=rows
        )
        self.epoch, self.offset = message.epoch, message.offset
        self.history.append(entry)
        self._snapshot_text = None
        if self.kind.policy is Policy.LATEST:
            self.last = entry
        elif rows is not None and self.rows is not None:
            _merge(self.rows, rows)
        return entry

    def replace(self, snapshot: Snapshot) -> Entry | None:
        """Takes the owner's state. Returns the message that brings a reader of the former state to
        this one (LATEST, MERGE), None when there is nothing to tell."""
        policy = self.kind.policy
        if snapshot.epoch == self.epoch and snapshot.offset <= self.offset and self.has_state:
            return None
        if policy is Policy.EVERY:
            self.epoch, self.offset = snapshot.epoch, snapshot.offset
            self.history.clear()
            return None
        after = _decode_rows(encode_json(snapshot.data)) if policy is Policy.MERGE else None
        patch = _patch(self.rows or {}, after) if after is not None else None
        data = encode_json(snapshot.data if patch is None else patch).decode()
        entry = Entry(self.topic, policy, snapshot.epoch, snapshot.offset, data, rows=patch)
        self.epoch, self.offset, self.rows = snapshot.epoch, snapshot.offset, after
        self.history.clear()
        self._snapshot_text = None
        if policy is Policy.LATEST:
            self.last = entry
            self._snapshot_text = data
        return entry

    def install(self, snapshot: Snapshot) -> bool:
        """The first state of a LATEST or MERGE topic, fetched while messages may have come in.
        False when those do not follow on the snapshot: ask the owner again."""
        if self.kind.policy is Policy.LATEST:
            if self.last is None:
                self.replace(snapshot)
            return True
        tail = self.tail(snapshot.epoch, snapshot.offset)
        if tail is None:
            return False
        rows = _decode_rows(encode_json(snapshot.data))
        for entry in tail:
            _merge(rows, entry.rows or {})
        self.rows = rows
        self.epoch, self.offset = snapshot.epoch, max(snapshot.offset, tail[-1].offset if tail else 0)
        self._snapshot_text = None
        return True

    def tail(self, epoch: str, offset: int) -> list[Entry] | None:
        """The messages after a position, oldest first; None when the history does not reach it."""
        if self.epoch is None:
            return []
        if epoch != self.epoch:
            return None
        if offset >= self.offset:
            return []
        later = [entry for entry in self.history if entry.offset > offset]
        if self.kind.policy is Policy.LATEST:
            reaches = bool(self.history) and self.history[0].offset <= offset + 1
            return later if reaches else None
        return later if later and later[0].offset == offset + 1 else None

    def missed(self, epoch: str, offset: int) -> list[Entry] | None:
        """As `tail`, for a reader who says it was there: a position in the future is a lie."""
        if self.epoch is None or offset < 0 or offset > self.offset:
            return None
        return self.tail(epoch, offset)

    def snapshot_text(self) -> str:
        """The state as JSON. Only when `has_state`."""
        if self._snapshot_text is None:
            if self.kind.policy is Policy.MERGE:
                self._snapshot_text = encode_json(self.rows).decode()
            elif self.last is not None:
                self._snapshot_text = self.last.data_text
        return self._snapshot_text or "{}"


def _merge(rows: Rows, patch: Mapping[str, Any]) -> None:
    for key, row in patch.items():
        if bytes(row) == NO_ROW:
            rows.pop(key, None)
        else:
            rows[key] = row


def _patch(before: Rows, after: Rows) -> Rows:
    gone = {key: msgspec.Raw(NO_ROW) for key in before if key not in after}
    changed = {key: row for key, row in after.items() if bytes(before.get(key, b"")) != bytes(row)}
    return {**gone, **changed}
