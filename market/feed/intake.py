"""From the bounded queue into the path of a tick, as the operator's switches allow."""

from __future__ import annotations

import asyncio

import msgspec
import structlog

from market.feed.ingress import Ingress
from market.feed.path import TickPath
from market.feed.turns import TURNS
from market.feed.valve import Switches, Valve
from market.sources.base import Source
from simgame.kernel import clock

TAKE_MAX = 512  # items in one turn of the loop
THROTTLED_S = 0.01  # how often a throttle is asked for room
RELEASE_S = 0.02  # how often conflated quotes are looked at, at most; a quarter of the pause else
IDLE_S = 0.25  # while nothing is conflated
DRAINED_MAX = 2 * TAKE_MAX  # waiting items that a checkpoint takes in first; with more it waits itself

log = structlog.get_logger(__name__)


class Intake:
    def __init__(self, ingress: Ingress, path: TickPath, source: Source):
        self.ingress, self.path, self.source = ingress, path, source
        self.valve = Valve()

    async def run(self) -> None:
        """One turn takes what has come: under load, what comes between two turns shares its cost."""
        behind = False
        while True:
            await self.ingress.filled()
            await (asyncio.sleep(0) if behind else TURNS.begin())
            room = self.valve.room(TAKE_MAX, clock.now_ns())
            if not room:
                await asyncio.sleep(THROTTLED_S)
                continue
            items = self.ingress.take_now(room)
            self.valve.give_back(room - len(items))
            self.path.take(self.valve.unpaused(items))
            behind = room == TAKE_MAX and len(self.ingress) >= TAKE_MAX

    def drain(self) -> bool:
        """Take in all that waits, now. False when it is too much; a throttle makes up for it afterwards."""
        if len(self.ingress) > DRAINED_MAX or self.ingress.holding:
            return False
        items = self.ingress.take_now(DRAINED_MAX)
        self.valve.give_back(-len(items))
        self.path.take(self.valve.unpaused(items))
        return True

    def empty(self) -> None:
        """Take in all that waits, however much: nothing more will come, and it was accepted."""
        while items := self.ingress.take_now(TAKE_MAX):
            self.path.take(self.valve.unpaused(items))

    def turn(self, switches: Switches) -> bool:
        """From now on these hold. False when they did already."""
        before = self.valve.switches
        if switches == before:
            return False
        changed = {
            name: [_shown(getattr(before, name)), _shown(getattr(switches, name))]
            for name in switches.__struct_fields__
            if getattr(before, name) != getattr(switches, name)
        }
        log.warning("feed_switched", **changed)
        for leaf in self.source.leaves():
            leaf.halted = switches.pauses(leaf.name)
        self.path.take(self.valve.turn(switches, clock.now_ns()))
        self.path.degrade = self.valve.degraded if self.valve.degrades else None
        self.release()
        return True

    def release(self) -> None:
        """Pass on what conflation held back until now; often enough, or quotes are late."""
        self.path.emit(list(self.valve.due(clock.now_ns())))

    async def release_for_ever(self) -> None:
        while True:
            self.release()
            conflate_s = self.valve.switches.conflate_ms / 1_000
            await asyncio.sleep(max(RELEASE_S, conflate_s / 4) if conflate_s else IDLE_S)


def _shown(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else value


def standing(valve: Valve) -> dict[str, object]:
    """For a status: the switches as they hold here, and what they did."""
    said = {name: _shown(value) for name, value in msgspec.structs.asdict(valve.switches).items()}
    return {**said, "paused": valve.paused, "conflated": valve.conflated, "throttled": valve.throttled}
