"""How much less of the public news is sent when operators ask for less. The roof registers who knows.

Private topics are never touched.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Degrade:
    """conflate_ms  no socket gets public frames more often than this; 0: as each asked
    paused       kinds of topics that are not sent now (`depth`, `trades` …); readers are brought to the
                 present state afterwards"""

    conflate_ms: int = 0
    paused: frozenset[str] = frozenset()


async def _nothing() -> Degrade:
    return Degrade()


_readers: list[Callable[[], Awaitable[Degrade]]] = [_nothing]


def register(reader: Callable[[], Awaitable[Degrade]]) -> None:
    """Called by the roof, once; the last one counts. Asked once a second; may raise: then all stays."""
    _readers[:] = [reader]


def forget() -> None:
    """For tests: nothing is degraded again."""
    _readers[:] = [_nothing]


async def now() -> Degrade:
    return await _readers[-1]()
