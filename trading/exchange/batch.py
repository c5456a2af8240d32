"""What one transaction writes: the rows of many commands, each row in its last state. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from simgame.kernel.ids import WORLD_SHIFT
from trading.engine.commands import CorporateAction, Halt, OpenPortfolio, Recovered, SetRules
from trading.engine.events import (
    ActionEntryRow,
    ActionRow,
    BalanceRow,
    Event,
    FillRow,
    OrderRow,
    PortfolioRow,
    PositionRow,
    TransferRow,
)
from trading.exchange import idempotency
from trading.exchange.heard import Entry

encode_json = msgspec.json.Encoder().encode
_KIND: dict[Any, str] = {Halt: "halt", SetRules: "rules", Recovered: "recovered"}


@dataclass
class Batch:
    """Rows of the world `world`, written under `epoch`. Filled in the order of application."""

    world: int
    commands: list[tuple[Any, ...]] = field(default_factory=list)
    orders: dict[str, OrderRow] = field(default_factory=dict)
    created: set[str] = field(default_factory=set)  # ids of orders that no earlier batch knows
    fills: list[tuple[int, FillRow]] = field(default_factory=list)
    transfers: list[tuple[int, TransferRow]] = field(default_factory=list)
    balances: dict[tuple[int, str], BalanceRow] = field(default_factory=dict)
    positions: dict[tuple[int, str], PositionRow] = field(default_factory=dict)
    portfolios: dict[int, PortfolioRow] = field(default_factory=dict)
    opened: list[int] = field(default_factory=list)  # portfolios that need a ledger account
    halts: dict[str, tuple[bool, str]] = field(default_factory=dict)  # symbol → halted, why
    actions: dict[str, tuple[ActionRow, bytes]] = field(default_factory=dict)  # key → row, first command
    entries: list[tuple[int, ActionEntryRow]] = field(default_factory=list)
    account_events: list[tuple[int, int, int, bytes, bool]] = field(default_factory=list)
    heard: list[Entry] = field(default_factory=list)  # between its commands
    last_seq: int = 0
    jobs: list[str] = field(default_factory=list)  # failpoints that it passes, when any is armed

    @property
    def empty(self) -> bool:
        return not self.commands and not self.heard

    def add(
        self,
        command: Any,
        events: list[Event],
        *,
        seq: int,
        at_ns: int,
        mark: bytes,
        result: dict[str, Any],
        tick_seq: int,
    ) -> None:
        """Take in one applied command that changed the books; `mark` is its fingerprint."""
        key = idempotency.key_of(command)
        portfolio, kind, client_id = key or (None, _kind(command), None)
        row_id = self.world << WORLD_SHIFT | seq
        self.commands.append(
            (
                row_id,
                portfolio,
                kind,
                client_id,
                mark,
                encode_json(command),
                encode_json(result),
                tick_seq,
                at_ns,
            )
        )
        self.last_seq = seq
        if type(command) is OpenPortfolio:
            self.opened.append(command.portfolio)
        elif type(command) is Halt:
            self.halts[command.symbol] = (command.halted, command.reason if command.halted else "")
        for event in events:
            if type(event) is ActionRow:
                self._action(command, event)
            else:
                self._row(seq, event)

    def add_account_event(self, portfolio: int, number: int, seq: int, rows: bytes, noticed: bool) -> None:
        self.account_events.append((portfolio, number, self.world << WORLD_SHIFT | seq, rows, noticed))

    def _action(self, command: Any, event: ActionRow) -> None:
        payload = encode_json(command) if type(command) is CorporateAction else b"{}"
        _, first = self.actions.get(event.key, (event, payload))
        self.actions[event.key] = (event, first)

    def _row(self, seq: int, event: Any) -> None:
        kind = type(event)
        if kind is OrderRow:
            self.orders[event.id] = event
            if event.version == 1:
                self.created.add(event.id)
        elif kind is BalanceRow:
            self.balances[event.account, event.asset] = event
        elif kind is TransferRow:
            self.transfers.append((seq, event))
        elif kind is FillRow:
            self.fills.append((seq, event))
        elif kind is PositionRow:
            self.positions[event.portfolio, event.symbol] = event
        elif kind is PortfolioRow:
            self.portfolios[event.portfolio] = event
        elif kind is ActionEntryRow:
            self.entries.append((seq, event))


def _kind(command: Any) -> str:
    return _KIND.get(type(command), "tick")
