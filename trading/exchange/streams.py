"""The private stream of each portfolio: what a command changed, as the messages that players get.

The body is made once: stored in the journal's transaction, published after COMMIT, read again by
whoever resumes.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from realtime.publish import Message
from trading import messages
from trading.engine.events import (
    BalanceRow,
    Event,
    FillRow,
    Notice,
    OrderRow,
    PortfolioRow,
    PositionRow,
)
from trading.exchange.batch import Batch

encode_json = msgspec.json.Encoder().encode
_OF_A_PORTFOLIO = (OrderRow, FillRow, PositionRow, PortfolioRow, Notice)


class Streams:
    """Numbers the events of each portfolio, dense from 1."""

    def __init__(
        self, world_number: int, stream_epoch: str, scales: dict[str, messages.Scale], heads: dict[int, int]
    ):
        self.world_number = world_number
        self.stream_epoch = stream_epoch
        self.scales = scales
        self.heads = heads

    def record(self, batch: Batch, seq: int, events: list[Event]) -> list[Message]:
        """Add an account event per touched portfolio to the batch; the messages to publish after it."""
        told: list[Message] = []
        touched = _touched(events)
        for portfolio in touched:
            mine = events if len(touched) == 1 else [event for event in events if _whose(event) == portfolio]
            rows = messages.event_json(mine, portfolio, self.scales.__getitem__, self.world_number)
            body = encode_json(rows)
            number = self.heads[portfolio] = self.heads.get(portfolio, 0) + 1
            batch.add_account_event(portfolio, number, seq, body)
            told.append(Message(f"portfolio:{portfolio}", self.stream_epoch, number, body))
        return told


def _whose(event: Event) -> int:
    """The portfolio an event speaks of; 0 when of none."""
    if isinstance(event, _OF_A_PORTFOLIO):
        return event.portfolio
    if isinstance(event, BalanceRow) and event.account > 0:
        return event.account
    return 0


def _touched(events: Iterable[Event]) -> list[int]:
    return [portfolio for portfolio in dict.fromkeys(map(_whose, events)) if portfolio]
