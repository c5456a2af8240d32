"""Kinds of topics: who answers for `quote:…`, `portfolio:…` and every other name before the colon.

The owning app registers each of its kinds once, in `AppConfig.ready()`. The post office itself
knows no kind.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from realtime.identity import Who
from realtime.publish import Message

# Printable ASCII without space, quote and backslash: goes into JSON and logs as it is.
TOPIC_PATTERN = re.compile(r"[a-z_]{1,32}:[!#-\[\]-~]{1,96}")


class Policy(Enum):
    """What a reader must get of a topic's messages.

    LATEST  only the newest counts; each message is the whole row (quote, depth, phase)
    MERGE   each message is `{key: row}`; rows replace by key, a row of null removes (board)
    EVERY   each message counts, in order, without a gap (trades, bars, private topics)
    """

    LATEST = "latest"
    MERGE = "merge"
    EVERY = "every"


@dataclass(frozen=True)
class Snapshot:
    """The state of a topic after the message `offset` of `epoch` (offset 0: before the first).

    For MERGE `data` is `{key: row}`. Both must be read at one instant (one transaction).
    """

    epoch: str
    offset: int
    data: Mapping[str, Any]


@dataclass(frozen=True)
class TopicKind:
    """What the owner of a kind promises. All callables are async and may raise: readers are told
    UNAVAILABLE.

    snapshot   (topic) → Snapshot, or None when there is no such topic
    authorize  (topic, who | None) → may they read it; False looks like an unknown topic
    since      (topic, epoch, offset, limit) → messages after offset, oldest first and contiguous,
               from the owner's own store; None when they are gone or the epoch is not the present
               one or the offset lies in the future
    poll       (topic) → Snapshot | list[Message] | None: what is asked instead of `since` or
               `snapshot` while the bus is down or after a gap
    private    the topic has few readers: it never shares a frame with public topics
    on_demand  the owner leaves out what nobody reads (`wanted.py`)
    """

    name: str
    policy: Policy
    snapshot: Callable[[str], Awaitable[Snapshot | None]]
    authorize: Callable[[str, Who | None], Awaitable[bool]]
    since: Callable[[str, str, int, int], Awaitable[Sequence[Message] | None]] | None = None
    poll: Callable[[str], Awaitable[Snapshot | Sequence[Message] | None]] | None = None
    private: bool = False
    on_demand: bool = False


_KINDS: dict[str, TopicKind] = {}


def register(kind: TopicKind) -> None:
    """Raises ValueError when the name is taken: one owner per kind."""
    if kind.name in _KINDS:
        raise ValueError(f"The topic kind {kind.name!r} is registered already.")
    _KINDS[kind.name] = kind


def unregister(name: str) -> None:
    """For tests and benches that bring their own kinds."""
    _KINDS.pop(name, None)


def kind_of(topic: str) -> TopicKind | None:
    """The kind of a topic name; None when the name is malformed or nobody owns its kind."""
    if not TOPIC_PATTERN.fullmatch(topic):
        return None
    return _KINDS.get(topic.partition(":")[0])
