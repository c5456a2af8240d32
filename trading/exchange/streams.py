"""The private stream of each portfolio: what a command changed, as the messages that players get.

The body is made once: stored in the journal's transaction, published after COMMIT, read again by
whoever resumes.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from realtime.publish import Message
from trading import messages
from trading.engine.events import (
    BalanceRow,
    Event,
    OrderRow,
)
from trading.exchange.batch import Batch

encode_json = msgspec.json.Encoder().encode


class Told(NamedTuple):
    """The messages of one command, and the orders in them by id."""

    messages: list[Message]
    orders: dict[str, messages.JSON]


class Streams:
    """Numbers the events of each portfolio, dense from 1."""

    def __init__(
        self, world_number: int, stream_epoch: str, scales: dict[str, messages.Scale], heads: dict[int, int]
    ):
        self.world_number = world_number
        self.stream_epoch = stream_epoch
        self.scales = scales
        self.heads = heads

    def record(self, batch: Batch, seq: int, events: list[Event]) -> Told:
        """Add an account event per touched portfolio to the batch; the messages to publish after it."""
        told = Told([], {})
        for portfolio, mine in _by_portfolio(events).items():
            rows = messages.event_json(mine, portfolio, self.scales.__getitem__, self.world_number)
            body = encode_json(rows)
            number = self.heads[portfolio] = self.heads.get(portfolio, 0) + 1
            batch.add_account_event(portfolio, number, seq, body)
            told.messages.append(Message(f"portfolio:{portfolio}", self.stream_epoch, number, body))
            told.orders.update((order["id"], order) for order in rows["orders"])
        return told


def _whose(event: Event) -> int:
    """The portfolio an event speaks of; 0 when of none."""
    kind = type(event)
    if kind is BalanceRow:
        return max(event.account, 0)  # the world's own accounts are negative
    return event.portfolio if kind in messages.OF_A_PORTFOLIO else 0


def _by_portfolio(events: list[Event]) -> dict[int, list[Event]]:
    """Each touched portfolio's events; of an order that changed more than once, the last row."""
    last = {event.id: event for event in events if type(event) is OrderRow}
    mine: dict[int, list[Event]] = {}
    for event in events:
        portfolio = _whose(event)
        if portfolio and (type(event) is not OrderRow or last[event.id] is event):
            mine.setdefault(portfolio, []).append(event)
    return mine
