"""Passes each batch on to every downstream; one that is slow hurts only itself.

A **batch** is what one turn of the feed produced: ticks with dense `seq`, and their encoding, made
once (the same bytes are in the WAL and on every link). Or it is one gap, without ticks: what the
consumers see of messages that are missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec
import structlog

from market.feed import wire
from market.sources.items import Gap
from market.ticks import PhaseTick, Print, Quote, Reference, Tick, encode

FRAMES_MAX = 256  # queued frames per link before we conflate: a second of a very busy market
PRINTS_MAX = 50_000  # prints a conflating link may owe; beyond it the link is cut and starts afresh

log = structlog.get_logger(__name__)


class Batch(msgspec.Struct, frozen=True, gc=False):
    ticks: list[Tick]
    payload: bytes  # msgpack of `ticks`; of a gap what the wire says of it
    frame: bytes  # the payload as every link gets it
    gap: Gap | None = None
    received_ns: int = 0  # when the oldest of them came in; 0: nothing came in for them


class Downstream(Protocol):
    name: str

    def offer(self, batch: Batch) -> None:
        """Takes the batch at once, without waiting; what to give up when full is its own policy."""


class Hub:
    def __init__(self) -> None:
        self.downstreams: list[Downstream] = []

    def join(self, downstream: Downstream) -> None:
        self.downstreams.append(downstream)

    def leave(self, downstream: Downstream) -> None:
        if downstream in self.downstreams:
            self.downstreams.remove(downstream)

    def pass_on(self, batch: Batch) -> None:
        for downstream in tuple(self.downstreams):
            downstream.offer(batch)


class TooSlow(Exception):
    """The reader owes us so much that only a fresh snapshot helps."""


class Arrears:
    """What a slow reader still gets: latest quote and reference per instrument, latest phase, every print."""

    def __init__(self) -> None:
        self.quotes: dict[str, Quote] = {}
        self.references: dict[str, Reference] = {}
        self.phases: list[PhaseTick] = []  # every change, one tick per phase and day
        self.prints: list[Print] = []
        self.gaps: dict[tuple[str, str], Gap] = {}  # one per source and instrument: over all that is missing
        self.superseded = 0

    def add(self, tick: Tick) -> None:
        match tick:
            case Print():
                self.prints.append(tick)
            case Quote():
                self.superseded += tick.symbol in self.quotes
                self.quotes[tick.symbol] = tick
            case Reference():
                self.references[tick.symbol] = tick
            case PhaseTick():
                last = self.phases[-1] if self.phases else None
                if last and (last.market_day, last.phase) == (tick.market_day, tick.phase):
                    self.phases.pop()
                self.phases.append(tick)

    def add_gap(self, gap: Gap) -> None:
        before = self.gaps.get((gap.source, gap.symbol))
        if before is not None:
            gap = msgspec.structs.replace(gap, at_ns=before.at_ns, first_missing=before.first_missing)
        self.gaps[gap.source, gap.symbol] = gap

    def take_gaps(self) -> list[Gap]:
        gaps, self.gaps = list(self.gaps.values()), {}
        return gaps

    def take(self) -> list[Tick]:
        """Everything owed, in order of `seq`; then nothing is."""
        owed: list[Tick] = [*self.quotes.values(), *self.references.values(), *self.phases, *self.prints]
        owed.sort(key=lambda tick: tick.seq)
        self.quotes, self.references, self.phases, self.prints = {}, {}, [], []
        return owed


class Link:
    """The way to one socket: past a queue while the socket takes what it gets, else through it, bounded.

    `direct` writes at once, and says False when the socket has enough.
    """

    def __init__(self, name: str, *, frames_max: int = FRAMES_MAX, prints_max: int = PRINTS_MAX):
        self.name = name
        self.frames_max = frames_max
        self.prints_max = prints_max
        self.arrears = Arrears()
        self.sent_frames = 0
        self.conflated_frames = 0
        self.oldest_ns = 0  # when the oldest tick of what `next` gave last came in
        self.direct: Callable[[bytes, int], bool] | None = None
        self._since_ns = 0
        self._frames: list[bytes] = []
        self._behind = False
        self._cut = False
        self._ready = asyncio.Event()

    def offer(self, batch: Batch) -> None:
        idle = not self._frames and not self._behind
        if idle and self.direct is not None and self.direct(batch.frame, batch.received_ns):
            self.sent_frames += 1
            return
        if not self._behind and len(self._frames) < self.frames_max:
            self._frames.append(batch.frame)
        else:
            self._fall_behind(batch)
        self._since_ns = self._since_ns or batch.received_ns
        self._ready.set()

    def answer(self, payload: bytes) -> None:
        """Queue an answer to a question; never dropped (a peer that asks without reading is cut)."""
        self._cut = self._cut or len(self._frames) > 2 * self.frames_max
        self._frames.append(wire.frame(payload))
        self._ready.set()

    def _fall_behind(self, batch: Batch) -> None:
        if not self._behind:
            log.warning("link_behind", link=self.name, frames=len(self._frames))
        self._behind = True
        if batch.gap is not None:
            self.arrears.add_gap(batch.gap)
        for tick in batch.ticks:
            self.arrears.add(tick)
        self._cut = self._cut or len(self.arrears.prints) > self.prints_max

    async def next(self) -> bytes:
        """The bytes to send now; waits until there are some. Raises TooSlow."""
        await self._ready.wait()
        self._ready.clear()
        if self._cut:
            raise TooSlow(f"{self.name} owes more than {self.prints_max} prints")
        frames, self._frames = self._frames, []
        self.oldest_ns, self._since_ns = self._since_ns, 0
        if self._behind:
            self._behind = False
            self.conflated_frames += 1
            frames += [wire.frame(wire.gap_payload(gap)) for gap in self.arrears.take_gaps()]
            frames.append(wire.frame(wire.encode_map(wire.Conflated(self.arrears.take()))))
        self.sent_frames += len(frames)
        return b"".join(frames)

    @property
    def waiting(self) -> int:
        return len(self._frames) + self._behind


def batch_of(ticks: list[Tick]) -> Batch:
    payload = encode(ticks)
    return Batch(ticks, payload, wire.frame(payload), received_ns=ticks[0].received_ns)


def gap_batch(gap: Gap) -> Batch:
    payload = wire.gap_payload(gap)
    return Batch([], payload, wire.frame(payload), gap)
