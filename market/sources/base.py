"""What every source is: its life cycle, and what the feed offers it.

A **paced** source (seeded, replay) has its ticks ready and gives those that are due; a live source
has a connection and gives what comes. Both put items into the feed's ingress.
"""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

import msgspec
import structlog

from market.feed.sequence import Numbering
from market.rulebook import PhaseNow
from market.sources.items import Item, Reached
from market.ticks import PhaseTick, Print, Quote

log = structlog.get_logger(__name__)


class State(StrEnum):
    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    AUTH = "auth"
    SUBSCRIBING = "subscribing"
    LIVE = "live"
    DEGRADED = "degraded"
    BACKOFF = "backoff"
    ENDED = "ended"  # a recording was played to its end


NEXT_STATES: Mapping[State, frozenset[State]] = {
    State.DISCONNECTED: frozenset({State.CONNECTING}),
    State.CONNECTING: frozenset(
        {State.AUTH, State.SUBSCRIBING, State.LIVE, State.BACKOFF, State.DISCONNECTED}
    ),
    State.AUTH: frozenset({State.SUBSCRIBING, State.BACKOFF, State.DISCONNECTED}),
    State.SUBSCRIBING: frozenset({State.LIVE, State.BACKOFF, State.DISCONNECTED}),
    State.LIVE: frozenset({State.DEGRADED, State.BACKOFF, State.DISCONNECTED, State.ENDED}),
    State.DEGRADED: frozenset({State.LIVE, State.BACKOFF, State.DISCONNECTED, State.ENDED}),
    State.BACKOFF: frozenset({State.CONNECTING, State.DISCONNECTED}),
    State.ENDED: frozenset({State.LIVE, State.DISCONNECTED}),
}


class Stage(Protocol):
    """What the feed offers a running source."""

    @property
    def paused(self) -> bool: ...

    @property
    def speed(self) -> int: ...

    def world_ns(self) -> int: ...

    def wall_ns(self) -> int: ...

    def jump(self, world_ns: int) -> None:
        """Move the world's clock forward (a replay over hours in which nothing was recorded)."""

    async def put(self, item: Item) -> None: ...

    async def put_all(self, items: Sequence[Item]) -> None:
        for item in items:
            await self.put(item)


class Kept(msgspec.Struct, frozen=True):
    """Rows of one life of a seeded market for the tables: what happened, and marks over its ticks."""

    life: int
    events: list[Any]
    marks: list[Any]
    start_ns: int
    step_ns: int


class PastBar(msgspec.Struct, frozen=True, gc=False):
    """A bar from before the source began. `start` in Unix seconds; `closed`: its interval is over."""

    symbol: str
    interval: str
    start: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    turnover: int
    prints: int
    closed: bool = True


class HistoryAway(Exception):
    """The venue's history cannot be read just now."""


class Source(abc.ABC):
    name: str = ""
    keeps_history = False  # whether `past_bars` is worth asking
    keeps_state = False  # whether `save` says something: it must not know more than the log
    numbering: Numbering = Numbering.RISING

    def __init__(self) -> None:
        self.state = State.DISCONNECTED
        self.note = ""  # why the state is what it is, in words
        self.halted = False  # by an operator's switch: it goes on, and nothing of it passes

    def become(self, state: State, note: str = "") -> None:
        """Raises ValueError for a step that the life cycle does not know."""
        if state not in NEXT_STATES[self.state]:
            raise ValueError(f"a source does not go from {self.state} to {state}")
        log.info("source_state", source=self.name, state=str(state), was=str(self.state), note=note)
        self.state, self.note = state, note

    @property
    def live(self) -> bool:
        return self.state in (State.LIVE, State.DEGRADED)

    @abc.abstractmethod
    async def run(self, stage: Stage) -> None:
        """Put items until cancelled, or return when there will never be more."""

    def phase(self, world_ns: int) -> PhaseNow | None:
        """The phase where the source knows better than the rulebook (a recording of other hours)."""
        return None

    def previous_closes(self) -> dict[str, int]:
        """What instruments closed at before the source began, scaled; {} to take the instruments' rows."""
        return {}

    def history(self) -> Iterable[PastBar]:
        """Bars from before it began, for the charts; asked for once in the life of a world."""
        return ()

    async def past_bars(self, symbol: str, interval: str, first: int, last: int) -> list[PastBar]:
        """The venue's bars, scaled, that start from `first` to `last` (Unix seconds). Raises HistoryAway."""
        return []

    def on_phase(self, tick: PhaseTick) -> None:  # noqa: B027  most sources do not care
        """The world's phase or market day, at every change and every second."""

    def start_ns(self, last: Quote | Print | None) -> int | None:
        """World time to start (or, behind `last`, to continue) at; None: the wall clock."""
        return None

    def seek(self, wanted: str, world_ns: int) -> int:
        """The world time to jump to. Raises ValueError with a sentence when it cannot be."""
        raise ValueError("This world follows the wall clock: there is nothing to seek in.")

    def save(self) -> bytes:
        """What `resume` needs."""
        return b""

    def resume(self, saved: bytes, last: Quote | Print | None) -> None:  # noqa: B027
        """Continue behind `last`, the last of its ticks in the WAL (None: there is none)."""

    def remember(self, happened: list[bytes], closes: dict[str, list[int]]) -> None:  # noqa: B027
        """Before `resume`: what was logged since the state was saved, and the last prices anybody saw."""

    def log_to(self, write: Callable[[bytes], None]) -> None:  # noqa: B027
        """Where to write what must be known before it happens (the seeded market's events)."""

    def asked(self, question: dict[str, Any]) -> dict[str, Any]:
        """The answer to `op: source`. Raises ValueError with a sentence."""
        raise ValueError("This world is not made from a seed: nothing can be let happen in it.")

    def to_keep(self) -> Kept | None:
        """Rows for the source's own tables."""
        return None

    def was_kept(self, kept: Kept) -> None:  # noqa: B027
        """They are written."""

    def describe(self) -> dict[str, object]:
        facts = {"name": self.name, "state": str(self.state), "note": self.note}
        return {**facts, "keeps_history": self.keeps_history}  # without one, bars over gaps stay partial

    def leaves(self) -> list[Source]:
        """The sources that speak to a venue: itself, or those that it is made of."""
        return [self]


class Paced(Source):
    """A source whose ticks are ready: the world's clock decides when they are due."""

    pace_s = 0.05  # how often we look; at 1000x one look is 50 s of world time

    @abc.abstractmethod
    def due(self, now_ns: int, stage: Stage) -> list[Item]:
        """The items up to `now_ns`, the world's clock, oldest first."""

    async def run(self, stage: Stage) -> None:
        self.become(State.CONNECTING)
        self.become(State.LIVE)
        while True:
            if not stage.paused:
                now_ns = stage.world_ns()
                await stage.put_all([*self.due(now_ns, stage), Reached(now_ns)])
            await asyncio.sleep(self.pace_s)
