"""The journal of a world as a stream: every command, and what the engine heard between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
import psycopg

from market.ticks import Tick
from simgame.kernel import clock
from simgame.kernel.ids import WORLD_SHIFT, world_key
from trading.engine.commands import PlayerCommand, Recovered, SetRules
from trading.exchange import heard
from trading.exchange.database import connect
from trading.exchange.heard import Entry

Connection = psycopg.Connection[tuple[Any, ...]]
ROWS_AT_ONCE = 2_000
HEAD = "SELECT max(id) FROM trading_command WHERE id BETWEEN %s AND %s"
COMMANDS = """
SELECT id, epoch, payload::text, result::text, tick_seq, at FROM trading_command
WHERE id BETWEEN %s AND %s ORDER BY id"""
PAGES = "SELECT page FROM trading_heard WHERE world_id = %s AND seq <= %s ORDER BY id"

_decode_tick = msgspec.json.Decoder(Tick).decode
_decode_command = msgspec.json.Decoder(PlayerCommand | SetRules | Recovered).decode


class Recorded(NamedTuple):
    """One command of the journal."""

    seq: int
    at_ns: int
    command: Any
    result: str  # what was answered, JSON
    epoch: int
    tick_seq: int


class UnreadableJournal(Exception):
    """The journal holds what this version cannot read: the message names the place."""


@contextmanager
def snapshot() -> Iterator[Connection]:
    """One moment of the database, read only, for as long as it takes."""
    connection = connect("replay")
    try:
        connection.execute("SET statement_timeout = 0")
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield connection
    finally:
        connection.close()


def head(connection: Connection, world: int) -> int:
    """The number of the last command, 0 when there is none."""
    row = connection.execute(HEAD, (world_key(world, 1), world_key(world + 1, 0) - 1)).fetchone()
    return number_of(row[0]) if row and row[0] else 0


def number_of(key: int) -> int:
    return key & (1 << WORLD_SHIFT) - 1


def read(connection: Connection, world: int, last: int) -> Iterator[Recorded | Entry]:
    """From the first command to number `last`, in the order in which the engine was told. Streams.

    Raises UnreadableJournal.
    """
    entries = _entries(connection, world, last)
    entry = next(entries, None)
    for recorded in _commands(connection, world, last):
        while entry is not None and entry.seq <= recorded.seq:
            yield entry
            entry = next(entries, None)
        yield recorded


def _commands(connection: Connection, world: int, last: int) -> Iterator[Recorded]:
    with connection.cursor(name="commands") as rows:
        rows.itersize = ROWS_AT_ONCE
        rows.execute(COMMANDS, (world_key(world, 1), world_key(world, last)))
        for key, epoch, payload, result, tick_seq, at in rows:
            at_ns = clock.parse_rfc3339(at.isoformat())
            command = _command(number_of(key), payload)
            yield Recorded(number_of(key), at_ns, command, result, epoch, tick_seq)


def _command(seq: int, payload: str) -> Any:
    try:
        return _decode_tick(payload) if payload.startswith("[") else _decode_command(payload)
    except msgspec.DecodeError as error:
        raise UnreadableJournal(f"Command {seq} is none that this version knows: {error}.") from error


def _entries(connection: Connection, world: int, last: int) -> Iterator[Entry]:
    with connection.cursor(name="heard") as rows:
        rows.itersize = 20
        rows.execute(PAGES, (world, last))
        for (page,) in rows:
            yield from heard.entries_of(page)
