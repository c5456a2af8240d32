"""What the hub does by the clock: pings, revocations, and reading from the owners what the bus did
not bring."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from realtime import degrade
from realtime.close_codes import CloseCode
from realtime.errors import TopicUnavailable
from realtime.identity import Who, authentication
from realtime.state import TopicState
from realtime.topics import Policy, Snapshot
from simgame.kernel import clock

if TYPE_CHECKING:
    from realtime.connection import Socket
    from realtime.hub import Hub

log = logging.getLogger(__name__)

TICK_S = 1.0  # the grain of ping, pong and auth deadlines
ROUNDS = 3  # a gap that the owner has not filled after so many questions is no gap but a loss


class Watch:
    def __init__(self, hub: Hub):
        self.hub = hub
        self._under_way: set[asyncio.Task[None]] = set()

    def runs(self) -> list[Coroutine[Any, Any, None]]:
        return [self._tick(), self._poll(), self._sweep(), self._revoke(), self._degrade()]

    def refresh_soon(self, state: TopicState) -> None:
        """Asks the owner what is missing, once at a time per topic."""
        if state.refreshing:
            return
        state.refreshing = True
        task = asyncio.create_task(self._refresh(state))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def refresh_all(self) -> None:
        """After a loss: whoever has readers may have missed something."""
        for state in self._read_topics():
            self.refresh_soon(state)

    async def _refresh(self, state: TopicState) -> None:
        try:
            for _ in range(ROUNDS):
                await self._refresh_once(state)
                if not state.groups or state.offset >= state.ahead:
                    return
            if state.kind.policy is Policy.EVERY:
                self.hub.lose_position(state)
        except TopicUnavailable:
            self.hub.counters.refreshes_failed += 1
        finally:
            state.refreshing = False
            state.ahead = 0

    async def _refresh_once(self, state: TopicState) -> None:
        kind, hub = state.kind, self.hub
        hub.counters.refreshes += 1
        if kind.poll is not None:
            answer = await hub.owners.poll(kind, state.topic)
        elif kind.since is not None and state.epoch is not None:
            answer = await hub.owners.since(kind, state.topic, state.epoch, state.offset)
            if answer is None:
                hub.lose_position(state)
        elif kind.policy is not Policy.EVERY:
            answer = await hub.owners.snapshot(kind, state.topic, fresh=True)
        else:
            return  # nobody to ask: the reader sees the gap, and asks for a snapshot
        if isinstance(answer, Snapshot):
            hub.replace(state, answer)
        elif answer:
            hub.deliver(answer)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(min(TICK_S, self.hub.limits.ping_s / 4, self.hub.limits.pong_s / 4))
            now = clock.monotonic_s()
            for socket in list(self.hub.sockets):
                socket.tick(now)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self.hub.limits.poll_s)
            if not self.hub.bus_up:
                self.refresh_all()

    async def _sweep(self) -> None:
        """A hint may be lost without anybody noticing; a table is not."""
        while True:
            await asyncio.sleep(self.hub.limits.sweep_s)
            for state in self._read_topics():
                if state.kind.private and state.kind.since is not None:
                    self.refresh_soon(state)

    async def _revoke(self) -> None:
        while True:
            await asyncio.sleep(self.hub.limits.revocation_s)
            sockets: dict[str, list[Socket]] = {}
            for socket in self.hub.sockets:
                if socket.who is not None:
                    sockets.setdefault(socket.who.key, []).append(socket)
            for theirs in sockets.values():
                who = theirs[0].who
                if who is not None and await self._is_revoked(who):
                    for socket in theirs:
                        socket.close(CloseCode.BAD_TOKEN, "signed out")

    async def _degrade(self) -> None:
        while True:
            try:
                wanted = await degrade.now()
            except Exception:  # the database may be away: all stays as it is
                log.exception("Cannot read the switches of the stream.")
            else:
                if wanted != self.hub.degrade:
                    self.hub.turn(wanted)
            await asyncio.sleep(self.hub.limits.degrade_s)

    async def _is_revoked(self, who: Who) -> bool:
        try:
            return await authentication().revoked(who)
        except Exception:  # the database may be away: nobody is signed out by that
            log.exception("Cannot check for revoked sessions.")
            return False

    def _read_topics(self) -> Iterable[TopicState]:
        return [state for state in self.hub.states.values() if state.groups]
