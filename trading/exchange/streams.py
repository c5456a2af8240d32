"""The private stream of each portfolio: what a command changed, as the messages that players get.

The body is made once: stored in the journal's transaction, published after COMMIT, read again by
whoever resumes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from realtime.publish import Message
from trading import messages
from trading.engine.events import (
    BalanceRow,
    OrderRow,
)
from trading.exchange.batch import Batch

encode_json = msgspec.json.Encoder().encode


class Shown(NamedTuple):
    """An order as players see it, and that encoded."""

    order: messages.JSON
    encoded: bytes


class Told(NamedTuple):
    """The messages of one command, and the orders in them by id."""

    messages: list[Message]
    orders: dict[str, Shown]


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

    def halts(self, seq: int, halted: dict[str, str]) -> Message:
        """Which instruments are halted and why, to everybody; `seq`: the command that changed it."""
        return Message(f"halts:{self.world_slug}", self.stream_epoch, seq, encode_json({"halts": halted}))

    def record(self, batch: Batch, seq: int, events: list[Any]) -> Told:
        """Add an account event per touched portfolio to the batch; the messages to publish after it."""
        told = Told([], {})
        for portfolio, mine in _by_portfolio(events).items():
            rows = messages.event_json(mine, portfolio, self.scales.__getitem__, self.world_number)
            shown = [Shown(order, encode_json(order)) for order in rows["orders"]]
            rows["orders"] = [msgspec.Raw(each.encoded) for each in shown]
            body = encode_json(rows)
            number = self.heads[portfolio] = self.heads.get(portfolio, 0) + 1
            batch.add_account_event(portfolio, number, seq, body, bool(rows["notices"]))
            told.messages.append(Message(f"portfolio:{portfolio}", self.stream_epoch, number, body))
            for each in shown:
                told.orders[each.order["id"]] = each
        return told


def _by_portfolio(events: list[Any]) -> dict[int, list[Any]]:
    """Each touched portfolio's events; of an order that changed more than once, the last row."""
    last = {event.id: event for event in events if type(event) is OrderRow}
    mine: dict[int, list[Any]] = {}
    for event in events:
        kind = type(event)
        if kind is BalanceRow:
            portfolio = event.account
        elif kind not in messages.OF_A_PORTFOLIO or (kind is OrderRow and last[event.id] is not event):
            continue
        else:
            portfolio = event.portfolio
        if portfolio <= 0:  # the world's own accounts are negative
            continue
        if portfolio not in mine:
            mine[portfolio] = []
        mine[portfolio].append(event)
    return mine
