"""The private stream of each portfolio: what a command changed for it.

An event is made once, as the engine's rows: stored in the journal's transaction, made into the message that
players get after COMMIT where somebody reads the stream, and by whoever resumes from what is stored.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import msgspec

from realtime.publish import Message
from trading import messages
from trading.exchange.batch import Batch

encode_json = msgspec.json.Encoder().encode


class Dispatch(NamedTuple):
    """A message that is made when somebody reads its topic."""

    topic: str
    epoch: str
    offset: int
    data: Callable[[], bytes]

    def message(self) -> Message:
        return Message(self.topic, self.epoch, self.offset, self.data())


class Streams:
    """Numbers the events of each portfolio, dense from 1."""

    def __init__(
        self,
        world_number: int,
        stream_epoch: str,
        scales: dict[str, messages.Scale],
        heads: dict[int, int],
        world_slug: str = "",  # a replay tells nobody
    ):
        self.world_number, self.world_slug = world_number, world_slug
        self.stream_epoch = stream_epoch
        self.scales = scales
        self.heads = heads

    def halts(self, seq: int, halted: dict[str, str]) -> Dispatch:
        """Which instruments are halted and why, to everybody; `seq`: the command that changed it."""
        data = encode_json({"halts": halted})
        return Dispatch(f"halts:{self.world_slug}", self.stream_epoch, seq, lambda: data)

    def record(self, batch: Batch, seq: int, events: list[Any]) -> list[Dispatch]:
        """Add an account event per touched portfolio to the batch; what is to be told after it."""
        told: list[Dispatch] = []
        for portfolio, changes in messages.changes_of(events).items():
            number = self.heads[portfolio] = self.heads.get(portfolio, 0) + 1
            stored = changes.stored()
            batch.add_account_event(portfolio, number, seq, stored, bool(changes.notices))
            data = partial(self.body, stored)
            told.append(Dispatch(f"portfolio:{portfolio}", self.stream_epoch, number, data))
        return told

    def body(self, stored: bytes) -> bytes:
        """What players get of an account event."""
        return encode_json(messages.event_body(stored, self.scales.__getitem__, self.world_number))
