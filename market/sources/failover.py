"""Several sources for one world: the best healthy one speaks, the others listen and stand ready.

Every member is connected and subscribed all the time; only the chosen one's items pass. A member is
left after `BAD_CHECKS` bad looks in a row and taken back after `GOOD_CHECKS` good ones (hysteresis:
a source that limps must not make us flutter). At a switch the new one's last quotes pass at once, and
those of its last prints that the old one had not said. Prints are recognised by content, because two
accounts number differently: one passes when its source has said it more often than it has passed.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import structlog

from market.sources.base import Source, Stage, State
from market.sources.items import Gap, Item, RawPrint, RawQuote, Settled
from market.sources.several import Several
from market.ticks import Print, Quote
from simgame.kernel import clock, tasks

CHECK_S = 0.5
BAD_CHECKS = 3
GOOD_CHECKS = 10
ACKNOWLEDGED_LEAST = 0.9  # share of the wanted subscriptions
STALE_MOST = 0.5  # share of the acknowledged ones
SILENT_S = 0.75  # without an item of ours, while the others say SPOKEN between two looks: ours hangs
SPOKEN = 5
PRINTS_KEPT = 10_000  # of each member, and of what passed: more than any venue prints while we decide

log = structlog.get_logger(__name__)
Content = tuple[str, Any, Any, str, int]


class Unknown(ValueError):
    """There is no such source in this world."""


class Recent:
    """How often each print was said, over the last PRINTS_KEPT prints."""

    def __init__(self) -> None:
        self._order: deque[Content] = deque()
        self._counts: Counter[Content] = Counter()

    def add(self, content: Content) -> int:
        """How often it was said, this time included."""
        if len(self._order) >= PRINTS_KEPT:
            oldest = self._order.popleft()
            self._counts[oldest] -= 1
            if not self._counts[oldest]:
                del self._counts[oldest]
        self._order.append(content)
        self._counts[content] += 1
        return self._counts[content]

    def count(self, content: Content) -> int:
        return self._counts[content]


class Member(Stage):
    """One source with what it has said lately: the stage it plays on."""

    def __init__(self, source: Source, stage: Stage, pass_on: Callable[[Member, Item], Any]):
        self.source, self.stage, self._pass_on = source, stage, pass_on
        self.quotes: dict[str, Quote | RawQuote] = {}
        self.prints: deque[Print | RawPrint] = deque(maxlen=PRINTS_KEPT)
        self.said = Recent()
        self.bad = BAD_CHECKS  # looks in a row; a source begins as one that must prove itself
        self.good = 0
        self.items = 0
        self.heard_s = 0.0  # monotonic; of its last item
        self.others = 0  # items that the others have said until the last look
        self.why = ""

    paused = property(lambda self: self.stage.paused)
    speed = property(lambda self: self.stage.speed)

    def world_ns(self) -> int:
        return self.stage.world_ns()

    def wall_ns(self) -> int:
        return self.stage.wall_ns()

    def jump(self, world_ns: int) -> None:
        self.stage.jump(world_ns)

    async def put(self, item: Item) -> None:
        self.items += 1
        self.heard_s = clock.monotonic_s()
        if isinstance(item, Quote | RawQuote):
            self.quotes[item.symbol] = item
        elif isinstance(item, Print | RawPrint):
            self.prints.append(item)
        await self._pass_on(self, item)

    def unsaid(self, passed: Recent) -> list[Print | RawPrint]:
        """Of the prints it has said lately, those that have not passed."""
        counts: Counter[Content] = Counter()
        found = []
        for item in self.prints:
            counts[content := _content(item)] += 1
            if counts[content] > passed.count(content):
                found.append(item)
        return found

    def look(self, others: int) -> None:
        """Count this moment as a good or a bad one; `others`: items that all others have said so far."""
        spoken, self.others = others - self.others, others
        self.why = ailment(self.source) or (self._silence() if spoken >= SPOKEN else "")
        self.bad = self.bad + 1 if self.why else 0
        self.good = 0 if self.why else self.good + 1

    def _silence(self) -> str:
        """A connection that stands and says nothing, while others speak of the same instruments, is dead."""
        silent_s = clock.monotonic_s() - self.heard_s
        return f"silent for {silent_s:.1f} s while others speak" if silent_s >= SILENT_S else ""

    @property
    def fit(self) -> bool:
        return self.bad < BAD_CHECKS

    def describe(self) -> dict[str, object]:
        return {**self.source.describe(), "health": self.why or "well", "items": self.items}


class Failover(Several):
    """The first of `sources` that is well speaks."""

    def __init__(self, sources: Sequence[Source]):
        super().__init__(sources)
        self.name = "+".join(source.name for source in sources)
        self.chosen: Member | None = None
        self.forced = ""  # the name that an operator wants; "": the best one
        self.switched = 0
        self.switches: list[dict[str, object]] = []
        self._members: list[Member] = []
        self._passed = Recent()

    # --- life ----------------------------------------------------------------------------------------

    async def run(self, stage: Stage) -> None:
        self.become(State.CONNECTING)
        self._members = [Member(source, stage, self._hear) for source in self.sources]
        jobs = [
            asyncio.create_task(member.source.run(member), name=f"source-{member.source.name}")
            for member in self._members
        ]
        jobs.append(asyncio.create_task(self._choose_for_ever(), name="failover"))
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_EXCEPTION)
            for job in done:
                job.result()
        finally:
            await tasks.end(jobs)

    async def _choose_for_ever(self) -> None:
        while True:
            said = sum(member.items for member in self._members)
            for member in self._members:
                member.look(said - member.items)
            await self._switch_to(self._best())
            self._say_how_we_are()
            await asyncio.sleep(CHECK_S)

    def _best(self) -> Member | None:
        """The one that should speak now: what is forced, else the first that is well for long enough."""
        for member in self._members:
            if member.source.name == self.forced:
                return member
        current = self.chosen
        for member in self._members:
            if member is current and member.fit:
                return member
            if member.fit and (member.good >= GOOD_CHECKS or current is None or not current.fit):
                return member
        return current

    async def _switch_to(self, member: Member | None) -> None:
        if member is None or member is self.chosen:
            return
        left, self.chosen = self.chosen, member
        why = "forced" if self.forced else (left.why if left else "the first that is well")
        fact = {"from": left.source.name if left else "", "to": member.source.name, "why": why or "preferred"}
        self.switches.append({"at_ns": clock.now_ns(), **fact})
        del self.switches[:-100]
        self.switched += left is not None
        log.warning("source_switched", **fact)
        missed = member.unsaid(self._passed)
        if left is not None and not (missed or member.quotes):
            await member.stage.put(Gap(member.source.name, "", clock.now_ns()))
        for item in (*member.quotes.values(), *missed):
            if isinstance(item, Print | RawPrint):
                self._passed.add(_content(item))
            await member.stage.put(item)

    async def _hear(self, member: Member, item: Item) -> None:
        chosen = member is self.chosen or isinstance(item, Settled)  # said once a day, by whoever knows it
        if isinstance(item, Print | RawPrint):
            content = _content(item)
            new = member.said.add(content) > self._passed.count(content)
            if chosen and new:
                self._passed.add(content)
            chosen = chosen and new
        if chosen:
            await member.stage.put(item)

    def _say_how_we_are(self) -> None:
        chosen = self.chosen
        state = State.LIVE if chosen and chosen.fit else State.DEGRADED
        note = "" if state is State.LIVE else "no source of this world is well"
        if self.state is State.CONNECTING and state is State.LIVE:
            self.become(State.LIVE)
        elif self.state in (State.LIVE, State.DEGRADED) and state is not self.state:
            self.become(state, note)

    # --- the operator --------------------------------------------------------------------------------

    def force(self, name: str) -> None:
        """Let this source speak whatever its health; "" ends that. Raises Unknown."""
        if name and name not in (names := [source.name for source in self.sources]):
            raise Unknown(f"This world has no source {name!r}; it has {', '.join(names)}.")
        self.forced = name
        log.warning("source_forced", source=name or "the best one")

    def describe(self) -> dict[str, object]:
        return {
            **super().describe(),
            "chosen": self.chosen.source.name if self.chosen else "",
            "forced": self.forced,
            "switches": self.switches[-10:],
            "sources": [member.describe() for member in self._members],
        }


def ailment(source: Source) -> str:
    """Why a source should not speak, in words; "" when it may."""
    if source.halted:
        return "paused by an operator"
    if not source.live:
        return f"{source.state}: {source.note}" if source.note else str(source.state)
    facts = source.describe()
    wanted, acknowledged = _count(facts, "wanted"), _count(facts, "acknowledged")
    if wanted and acknowledged < wanted * ACKNOWLEDGED_LEAST:
        return f"{acknowledged} of {wanted} subscriptions are acknowledged"
    stale = _count(facts, "stale")
    if acknowledged and stale > acknowledged * STALE_MOST:
        return f"{stale} of {acknowledged} instruments are silent"
    return ""


def _count(facts: dict[str, object], name: str) -> int:
    value = facts.get(name, 0)
    if isinstance(value, int):
        return value
    return len(value) if isinstance(value, Iterable) else 0  # type: ignore[arg-type]


def _content(item: Print | RawPrint) -> Content:
    return item.symbol, item.price, item.size, item.side, item.at_ns
