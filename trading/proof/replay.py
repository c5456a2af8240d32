"""Folding the journal through a fresh engine: what it makes must be what is stored (reliability I18)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from trading.engine.commands import Recovered
from trading.engine.engine import Engine
from trading.engine.events import BalanceRow, OrderRow, PortfolioRow, PositionRow, Refused
from trading.engine.orders import TERMINAL
from trading.engine.records import PortfolioState
from trading.engine.state import Portfolio
from trading.exchange import recovery, replies
from trading.exchange.batch import Batch
from trading.exchange.heard import Entry
from trading.exchange.recovery import Books
from trading.exchange.streams import Streams
from trading.proof.journal import Recorded

COMMANDS_AT_ONCE = 1_000


class NotReplayable(Exception):
    """The journal lacks what a replay needs: the message says what."""


class Astray(Exception):
    """The replay does what the exchange did not: (seq, what, stored, replayed)."""

    def __init__(self, seq: int, what: str, stored: Any, replayed: Any):
        super().__init__(f"command {seq}: {what}")
        self.seq, self.what, self.stored, self.replayed = seq, what, stored, replayed


@dataclass
class Rows:
    """The tables as the exchange would have left them: open orders, balances, positions, counters."""

    orders: dict[str, OrderRow] = field(default_factory=dict)
    balances: dict[tuple[int, str], BalanceRow] = field(default_factory=dict)
    positions: dict[tuple[int, str], PositionRow] = field(default_factory=dict)
    portfolios: dict[int, PortfolioRow] = field(default_factory=dict)
    orders_n: int = 0  # ever made
    fills_n: int = 0
    transfers_n: int = 0

    def absorb(self, batch: Batch) -> None:
        for row in batch.orders.values():
            if row.status in TERMINAL:
                self.orders.pop(row.id, None)
            else:
                self.orders[row.id] = row
        self.balances |= batch.balances
        self.positions |= batch.positions
        self.portfolios |= batch.portfolios
        self.fills_n += len(batch.fills)
        self.transfers_n += len(batch.transfers)


@dataclass
class Chunk:
    """What some commands in a row made: rows as the exchange writes them, and the stored answers."""

    batch: Batch
    stored: list[Recorded] = field(default_factory=list)

    @property
    def last_seq(self) -> int:
        return self.stored[-1].seq


class Replay:
    def __init__(self, world: int, streams: Streams):
        self.world = world
        self.streams = streams
        self.engine = Engine(world)
        self.rows = Rows()
        self.seq = 0
        self.heard = 0
        self.recoveries = 0
        self.engines: dict[str, int] = {}  # versions of engines → first command they decided

    def chunks(self, journal: Iterable[Recorded | Entry]) -> Iterator[Chunk]:
        """Applies the journal and yields what was made, some commands at a time.

        Raises NotReplayable, Astray.
        """
        chunk = Chunk(Batch(self.world))
        for said in journal:
            if isinstance(said, Entry):
                self._hear(said)
                continue
            if said.seq != self.seq + 1:
                raise Astray(said.seq, "commands are missing before it", said.seq, self.seq + 1)
            self.seq = said.seq
            if isinstance(said.command, Recovered):
                self._absorb(chunk)
                self._recover(said.command)
            elif not self.recoveries:
                raise NotReplayable(
                    "The journal begins before restarts and ticks were recorded in it (version 0.1): "
                    "it cannot be replayed. Start a world anew, or keep this one's journal as it is."
                )
            self._command(chunk, said)
            if len(chunk.stored) >= COMMANDS_AT_ONCE:
                self._absorb(chunk)
                yield chunk
                chunk = Chunk(Batch(self.world))
        if chunk.stored:
            self._absorb(chunk)
            yield chunk

    def state_hash(self) -> str:
        return self.engine.state_hash()

    def _absorb(self, chunk: Chunk) -> None:
        self.rows.absorb(chunk.batch)
        self.rows.fills_n, self.rows.transfers_n = self.engine.state.fills_n, self.engine.state.transfers_n

    def _hear(self, entry: Entry) -> None:
        self.heard += 1
        self.before(entry.said, entry.at_ns)
        events = self.engine.apply(entry.said, entry.seq, entry.at_ns)
        if events:
            raise Astray(entry.seq, f"something came of {type(entry.said).__name__}", None, events[0])
        self.after(entry.seq, entry.said, [])

    def before(self, said: Any, at_ns: int) -> None:
        """For those who look on: something is about to be applied."""

    def after(self, seq: int, said: Any, events: list[Any]) -> None:
        """For those who look on: what came of it."""

    def _recover(self, command: Recovered) -> None:
        """As the exchange did it: a new engine from the rows of the old one."""
        self.recoveries += 1
        self.engines.setdefault(command.engine, self.seq)
        rows, old = self.rows, self.engine
        books = Books(
            portfolios=[
                _state_of(each, rows.portfolios.get(each.id) or each.row())
                for each in old.state.portfolios.values()
            ],
            balances=list(rows.balances.values()),
            positions=list(rows.positions.values()),
            orders=list(rows.orders.values()),
            closed=[(key, *ended) for key, ended in old.state.closed.items()],
            fills_n=rows.fills_n,
            transfers_n=rows.transfers_n,
            actions=[(each.command, each.status) for each in old.state.actions.values()],
            undone=list(old.state.undone),
        )
        self.engine = recovery.engine_of(books, self.world, command.rules, command.why())

    def _command(self, chunk: Chunk, said: Recorded) -> None:
        self.before(said.command, said.at_ns)
        if isinstance(said.command, Recovered):
            events: list[Any] = []
        else:
            events = self.engine.apply(said.command, said.seq, said.at_ns)
        if any(isinstance(event, Refused) for event in events):
            raise Astray(said.seq, f"{type(said.command).__name__} is refused", said.result, events[0])
        self.rows.orders_n += sum(isinstance(each, OrderRow) and each.version == 1 for each in events)
        chunk.stored.append(said)
        chunk.batch.add(
            said.command,
            events,
            seq=said.seq,
            at_ns=said.at_ns,
            mark=b"",
            result=replies.result_of(said.command, events),
            tick_seq=said.tick_seq,
        )
        self.streams.record(chunk.batch, said.seq, events)
        self.after(said.seq, said.command, events)


def _state_of(one: Portfolio, row: PortfolioRow) -> PortfolioState:
    return PortfolioState(one.id, one.currency, row.status, "", one.margin, row.call_ns, row.accrued_day)


def answers(chunk: Chunk) -> Iterator[tuple[Recorded, bytes]]:
    """Each command with the answer that the replay gives."""
    for said, row in zip(chunk.stored, chunk.batch.commands, strict=True):
        yield said, row[6]
