"""Subscribing: first every refusal, then what must be fetched, then one step that cannot be split.

The step joins the groups and writes the answer together, so that no message falls between the
snapshot and the first push.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realtime.conversation import Since, Want
from realtime.errors import TopicUnavailable, UnknownTopic
from realtime.outbox import Entry, encode_json
from realtime.publish import Message
from realtime.state import TopicState
from realtime.topics import Policy, Snapshot, kind_of
from simgame.kernel.errors import Unauthenticated

if TYPE_CHECKING:
    from realtime.connection import Socket
    from realtime.hub import Hub

ATTEMPTS = 4  # a topic may move on while its owner answers
PAUSE_S = 0.02  # before the second attempt; longer before each further one


@dataclass
class Opening:
    """One topic of a subscription on its way."""

    number: int
    want: Want
    state: TopicState
    snapshot: Snapshot | None = None
    missed: Sequence[Message] | None = None  # from the owner
    recovered: bool = False
    row: str = ""  # the result, JSON
    tail: list[Entry] = field(default_factory=list)  # said between the snapshot and now


async def subscribe(
    hub: Hub, socket: Socket, wants: Sequence[Want], interval_ms: int
) -> tuple[list[str], list[Entry]]:
    """Joins the socket and returns the results (JSON texts, in order) and the messages that follow
    on them; the caller must send both before it awaits anything.

    Raises UnknownTopic, Unauthenticated or TopicUnavailable: then nothing has changed.
    """
    for number, want in enumerate(wants):
        await _admit(hub, socket, number, want)
    openings = [Opening(number, want, hub.hold(want.topic)) for number, want in enumerate(wants)]
    try:
        await _prepare(hub, openings)
        # From here it must succeed, in one step.
        hub.join(socket, [opening.want.topic for opening in openings], interval_ms)
        for opening in openings:
            if opening.want.since is not None:
                hub.counters.recovered += opening.recovered
                hub.counters.not_recovered += not opening.recovered
        return [opening.row for opening in openings], [entry for one in openings for entry in one.tail]
    finally:
        for opening in openings:
            hub.release(opening.state)


async def _admit(hub: Hub, socket: Socket, number: int, want: Want) -> None:
    kind = kind_of(want.topic)
    if kind is None:
        raise _unknown(want.topic, number)
    if not await hub.owners.authorize(kind, want.topic, socket.who):
        if socket.who is None:
            raise Unauthenticated(pointer=f"/topics/{number}/topic")
        raise _unknown(want.topic, number)


def _unknown(topic: str, number: int) -> UnknownTopic:
    return UnknownTopic(f"There is no topic {topic[:130]!r}.", pointer=f"/topics/{number}/topic")


async def _prepare(hub: Hub, openings: Sequence[Opening]) -> None:
    """Fetches until every topic has its row, all at the same instant."""
    late = openings
    for attempt in range(ATTEMPTS):
        await asyncio.sleep(PAUSE_S * attempt)
        await asyncio.gather(*[_fetch(hub, opening, fresh=attempt > 0) for opening in late])
        late = [opening for opening in openings if not _settle(opening)]
        if not late:
            return
        if attempt == ATTEMPTS - 2:
            for opening in late:  # the owner and the bus disagree, and the owner is the truth
                hub.lose_position(opening.state)
    raise TopicUnavailable(pointer=f"/topics/{late[0].number}/topic")


async def _fetch(hub: Hub, opening: Opening, *, fresh: bool) -> None:
    state, since = opening.state, opening.want.since
    if state.kind.policy is not Policy.EVERY:
        if state.has_state:
            return
    elif since is not None:
        if state.missed(since.epoch, since.offset) is not None:
            return
        opening.missed = await hub.owners.since(state.kind, state.topic, since.epoch, since.offset)
        if opening.missed is not None:
            return
    opening.snapshot = await hub.owners.snapshot(state.kind, state.topic, fresh=fresh)
    if opening.snapshot is None:
        raise _unknown(state.topic, opening.number)


def _settle(opening: Opening) -> bool:
    """Makes the row of the answer. False when what was fetched does not fit to where the topic is."""
    state, since = opening.state, opening.want.since
    conflated = state.kind.policy is not Policy.EVERY
    if conflated and not state.has_state and not (opening.snapshot and state.install(opening.snapshot)):
        return _start_again(opening)
    if since is not None:
        missed = state.missed(since.epoch, since.offset)
        if missed is not None:
            _recovered(opening, state.epoch or since.epoch, state.offset, missed)
            return True
    if conflated:
        _row(opening, state.epoch or "", state.offset, f'false,"snapshot":{state.snapshot_text()}')
        return True
    if since is not None and opening.missed is not None:
        return _settle_missed(opening, since, opening.missed)
    return _settle_snapshot(opening)


def _settle_missed(opening: Opening, since: Since, missed: Sequence[Message]) -> bool:
    """From the owner's store, then from the history what was said since it was asked."""
    state = opening.state
    entries = [Entry(m.topic, Policy.EVERY, m.epoch, m.offset, m.data.decode()) for m in missed]
    epoch, offset = since.epoch, entries[-1].offset if entries else since.offset
    tail = state.tail(epoch, offset)
    if tail is None:
        return _start_again(opening)
    if state.epoch is None:
        state.epoch, state.offset = epoch, offset
    _recovered(opening, epoch, tail[-1].offset if tail else offset, entries + tail)
    return True


def _settle_snapshot(opening: Opening) -> bool:
    state, snapshot = opening.state, opening.snapshot
    if snapshot is None:
        return _start_again(opening)
    tail = state.tail(snapshot.epoch, snapshot.offset)
    if tail is None:
        return _start_again(opening)
    if state.epoch is None:
        state.epoch, state.offset = snapshot.epoch, snapshot.offset
    opening.tail = tail
    data = encode_json(snapshot.data).decode()
    _row(opening, snapshot.epoch, snapshot.offset, f'false,"snapshot":{data}')
    return True


def _start_again(opening: Opening) -> bool:
    """The owner is the truth: what the bus said before it was asked again does not count."""
    state = opening.state
    if not state.groups:
        state.forget()
    opening.missed = opening.snapshot = None
    return False


def _recovered(opening: Opening, epoch: str, offset: int, missed: Sequence[Entry]) -> None:
    opening.recovered = True
    texts = ",".join([entry.text for entry in missed])
    _row(opening, epoch, offset, f'true,"messages":[{texts}]')


def _row(opening: Opening, epoch: str, offset: int, rest: str) -> None:
    quoted = encode_json(epoch).decode()
    opening.row = f'{{"topic":"{opening.want.topic}","epoch":{quoted},"offset":{offset},"recovered":{rest}}}'
