"""The hub of one web worker: topics on one side, sockets on the other.

Messages come in from the bus (or, without it, from the owners of the topics), are put in order per
topic, encoded once, and given to groups of sockets that read the same topics. Everything runs on
one event loop; whatever has no `await` in it is one step for everybody else.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence

import msgspec

from realtime.bus import BusReader
from realtime.close_codes import CloseCode
from realtime.connection import Socket
from realtime.counters import Counters
from realtime.degrade import Degrade
from realtime.groups import Group, GroupKey
from realtime.identity import Who
from realtime.limits import Limits
from realtime.owners import Owners
from realtime.publish import BUS_CHANNEL, Frame, Message, decode_frame
from realtime.state import TopicState, Verdict
from realtime.topics import Policy, Snapshot, kind_of
from realtime.wanted import Announcer
from realtime.watch import Watch
from simgame.kernel import failpoints, tasks

log = logging.getLogger(__name__)


class Hub:
    """`redis_url` None: no bus, messages come only through `deliver` (benches, tests)."""

    def __init__(self, redis_url: str | None, limits: Limits | None = None, channel: str = BUS_CHANNEL):
        self.limits = limits or Limits()
        self.counters = Counters()
        self.sockets: dict[Socket, None] = {}
        self.states: dict[str, TopicState] = {}
        self.groups: dict[GroupKey, Group] = {}
        self.owners = Owners(self.limits, self.counters)
        self.bus_up = redis_url is None
        self.degrade = Degrade()
        self._idle: dict[Policy, OrderedDict[str, None]] = {policy: OrderedDict() for policy in Policy}
        self._by_player: Counter[int] = Counter()
        self._bus = (
            BusReader(redis_url, channel, decode_frame, self._on_frame, self._on_up, self._on_down)
            if redis_url
            else None
        )
        self._announcer = Announcer(redis_url) if redis_url else None
        self._watch = Watch(self)
        self._tasks: list[asyncio.Task[None]] = []

    # --- life ---------------------------------------------------------------------------------
    async def start(self) -> None:
        """Idempotent."""
        if self._tasks:
            return
        runs = self._watch.runs()
        if self._bus is not None:
            runs.append(self._bus.run())
        if self._announcer is not None:
            runs.append(self._announcer.run())
        self._tasks = [asyncio.create_task(run) for run in runs]

    async def stop(self) -> None:
        """Tells every socket to come back later, and ends the tasks."""
        for socket in list(self.sockets):
            socket.close(CloseCode.SHUTDOWN)
        await tasks.end(self._tasks)
        self._tasks = []

    # --- sockets ------------------------------------------------------------------------------
    def admit(self, socket: Socket) -> CloseCode | None:
        """None: the socket is in. Otherwise the reason why not."""
        if len(self.sockets) >= self.limits.sockets_per_worker:
            return CloseCode.TOO_MANY_SOCKETS
        self.sockets[socket] = None
        return None

    def admit_player(self, who: Who) -> bool:
        """Counts a socket of a player; False when they have enough of them."""
        if self._by_player[who.player_id] >= self.limits.sockets_per_player:
            return False
        self._by_player[who.player_id] += 1
        return True

    def dismiss(self, socket: Socket) -> None:
        """The socket is gone. Idempotent."""
        if socket not in self.sockets:
            return
        del self.sockets[socket]
        self.unsubscribe(socket, list(socket.topics))
        if socket.who is not None:
            self._by_player[socket.who.player_id] -= 1
            if not self._by_player[socket.who.player_id]:
                del self._by_player[socket.who.player_id]

    def join(self, socket: Socket, topics: Iterable[str], interval_ms: int) -> None:
        """From now on the socket gets these topics. Positions are the caller's care, in the same
        step (`subscriptions.subscribe`)."""
        self._regroup(socket, dict.fromkeys(topics, interval_ms))

    def unsubscribe(self, socket: Socket, topics: Iterable[str]) -> None:
        """Topics that the socket does not have are ignored."""
        self._regroup(socket, {topic: None for topic in topics if topic in socket.topics})

    # --- news ---------------------------------------------------------------------------------
    def deliver(self, messages: Sequence[Message]) -> int:
        """Takes a batch in order and gives each group one frame with all of it. Returns the number
        of frames given to sockets."""
        before = self.counters.frames_out
        dirty: dict[Group, None] = {}
        for message in messages:
            self._deliver_one(message, dirty)
        for group in dirty:
            group.flush()
        return self.counters.frames_out - before

    def latest(self, topic: str) -> bytes | None:
        """The data of the newest state of a LATEST or MERGE topic, JSON; None when this worker has
        not heard of it."""
        state = self.states.get(topic)
        return state.snapshot_text().encode() if state is not None and state.has_state else None

    def state_of(self, topic: str) -> TopicState | None:
        """The state of a topic, made when there is none; None when no kind owns the name."""
        state = self.states.get(topic)
        if state is None:
            kind = kind_of(topic)
            if kind is None:
                return None
            state = self.states[topic] = TopicState(topic, kind, self.limits)
            self._keep_idle(state)
        return state

    def hold(self, topic: str) -> TopicState:
        """The topic's messages are kept until `release`, while a subscription is prepared. The topic
        must be of a registered kind."""
        state = self.state_of(topic)
        if state is None:
            raise LookupError(f"nobody owns the topic {topic!r}")
        state.opening += 1
        self.settle(state)
        return state

    def release(self, state: TopicState) -> None:
        state.opening -= 1
        self.settle(state)

    def settle(self, state: TopicState) -> None:
        """Call when a topic may have lost its last reader: idle topics are kept in bounds, and none
        at all when nobody would keep them true."""
        if state.kind.on_demand and self._announcer is not None:
            self._announcer.settle(state.topic, state.wanted, listed=not state.kind.private)
        if state.wanted:
            self._idle[state.kind.policy].pop(state.topic, None)
            return
        if not self.bus_up or state.epoch is None or state.kind.on_demand:
            self._forget(state)
            return
        self._keep_idle(state)

    def replace(self, state: TopicState, snapshot: Snapshot) -> None:
        """Brings everybody who reads the topic to the owner's state."""
        if state.kind.policy is Policy.EVERY:
            self.lose_position(state)
            return
        entry = state.replace(snapshot)
        if entry is not None:
            for group in state.groups:
                group.add(entry)
                if not group.interval_s:
                    group.flush()

    def lose_position(self, state: TopicState) -> None:
        """Messages of an every-message topic are gone: its readers must take a snapshot."""
        readers = {member for group in state.groups for member in group.members}
        state.forget()
        for socket in readers:
            socket.close(CloseCode.POSITION_LOST)

    def turn(self, degrade: Degrade) -> None:
        """From now on the public topics are sent like this."""
        before, self.degrade = self.degrade, degrade
        if before.conflate_ms != degrade.conflate_ms:
            for socket in self.sockets:
                self._regroup(socket, dict(socket.topics))
        if before.paused - degrade.paused:
            self._watch.refresh_all()

    # --- inside -------------------------------------------------------------------------------
    def _deliver_one(self, message: Message, dirty: dict[Group, None]) -> None:
        self.counters.messages_in += 1
        state = self.states.get(message.topic) or self.state_of(message.topic)
        if state is None:
            self.counters.messages_unknown += 1
            return
        if state.kind.on_demand and not state.wanted:  # others read it; soon it is not sent any more
            self._forget(state)
            return
        if state.kind.name in self.degrade.paused and not state.kind.private:
            self.counters.messages_paused += 1
            return
        verdict = state.judge(message.epoch, message.offset)
        if verdict is Verdict.OLD:
            self.counters.messages_old += 1
            return
        if verdict is not Verdict.NEW:
            self.counters.gaps += verdict is Verdict.GAP
            if state.groups and self._heals(state, message, verdict):
                return
            if state.kind.policy is not Policy.LATEST:
                state.forget()
        try:
            entry = state.accept(message)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self.counters.messages_bad += 1
            log.error("A message on %s cannot be read: %s", message.topic, error)
            return
        if not state.groups and not state.opening:
            self._idle[state.kind.policy].move_to_end(state.topic)
        for group in state.groups:
            group.add(entry)
            if not group.interval_s:
                dirty[group] = None

    def _heals(self, state: TopicState, message: Message, verdict: Verdict) -> bool:
        """True when the owner is asked for what is missing, and this message comes from there."""
        if state.kind.policy is Policy.LATEST:
            return False
        if state.kind.policy is Policy.EVERY:
            if state.kind.since is None:
                return False  # the reader sees the gap, and asks
            if verdict is Verdict.OTHER_EPOCH:
                if state.kind.private:
                    self.lose_position(state)
                return False  # as above: readers of a public topic see the other epoch, and ask
        state.ahead = message.offset
        self._watch.refresh_soon(state)
        return True

    def _regroup(self, socket: Socket, changes: dict[str, int | None]) -> None:
        """Moves a socket between groups: topics → new interval in ms, or None to leave."""
        for topic, interval_ms in changes.items():
            socket.topics.pop(topic, None)
            if interval_ms is not None:
                socket.topics[topic] = interval_ms
        after: dict[tuple[int, bool], set[str]] = {slot: set() for slot in socket.groups}
        for topic, interval_ms in socket.topics.items():
            after.setdefault(self._slot(topic, interval_ms), set()).add(topic)
        touched = set(changes)
        for slot, topics in after.items():
            former = socket.groups.get(slot)
            if former is None or former.key[2] != topics or topics & touched:
                self._change_group(socket, (*slot, frozenset(topics)))
        for topic in changes:
            if topic in self.states:  # the last group that went may have taken it along
                self.settle(self.states[topic])

    def _slot(self, topic: str, interval_ms: int) -> tuple[int, bool]:
        private = self.states[topic].kind.private
        return (interval_ms if private else max(interval_ms, self.degrade.conflate_ms)), private

    def _change_group(self, socket: Socket, key: GroupKey) -> None:
        slot = key[:2]
        former = socket.groups.pop(slot, None)
        if former is not None:
            former.leave(socket, stays=not former.key[2].isdisjoint(socket.topics))
        if key[2]:
            group = self.groups.get(key) or self._new_group(key)
            group.join(socket)
            socket.groups[slot] = group
        if former is not None and not former.members:
            self._drop_group(former)  # last, so that no topic is without a reader on the way

    def _new_group(self, key: GroupKey) -> Group:
        states = [self.states[topic] for topic in key[2]]
        group = self.groups[key] = Group(key, states, self.counters, self.limits.array_bytes)
        for state in group.states:
            state.groups[group] = None
        return group

    def _drop_group(self, group: Group) -> None:
        group.end()
        del self.groups[group.key]
        for state in group.states:
            state.groups.pop(group, None)
            self.settle(state)

    def _keep_idle(self, state: TopicState) -> None:
        policy = state.kind.policy
        idle = self._idle[policy]
        idle[state.topic] = None
        while len(idle) > getattr(self.limits, f"idle_topics_{policy.value}"):
            self._forget(self.states[next(iter(idle))])

    def _forget(self, state: TopicState) -> None:
        self._idle[state.kind.policy].pop(state.topic, None)
        self.states.pop(state.topic, None)
        self.owners.forget(state.topic)

    def _on_frame(self, frame: Frame) -> None:
        self.deliver(frame.messages)
        failpoints.passing(failpoints.FP7_GATEWAY_SENT)
        if frame.lost:
            self.counters.bus_losses += 1
            self._watch.refresh_all()

    def _on_up(self) -> None:
        self.bus_up = True
        self._watch.refresh_all()

    def _on_down(self) -> None:
        """Nobody keeps the topics without readers true until the bus is back: forget them."""
        self.bus_up = False
        self.counters.bus_losses += 1
        for idle in self._idle.values():
            for topic in list(idle):
                self._forget(self.states[topic])


_here: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = weakref.WeakKeyDictionary()


async def here(redis_url: str | None) -> Hub:
    """The running hub of this worker (of its event loop), started at the first call."""
    loop = asyncio.get_running_loop()
    if loop not in _here:
        _here[loop] = Hub(redis_url)
    await _here[loop].start()
    return _here[loop]


def use(hub: Hub) -> None:
    """From now on `here` answers with this hub: for tests and benches with limits of their own."""
    _here[asyncio.get_running_loop()] = hub


def running() -> list[Hub]:
    """The hubs of this process: for metrics."""
    return list(_here.values())
