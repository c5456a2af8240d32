"""Cutting a world's history into pieces that can be checked one after another.

A piece is a stretch of the journal with exactly the fills and transfers of its commands, so that no match
and no fee is torn apart.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from simgame.kernel.ids import WORLD_SHIFT
from trading.invariants.queries import PORTFOLIOS, Connection, Heads, Span, beginning, end

COMMANDS_PER_WINDOW = 20_000  # some 100 ms of PostgreSQL's time
PORTFOLIOS_PER_CHUNK = 1_000
_LAST = "SELECT coalesce(max(id), %s) FROM trading_{} WHERE id BETWEEN %s AND %s"
_NTH_COMMAND = """
SELECT coalesce(max(id), %s) FROM (
  SELECT id FROM trading_command WHERE id > %s AND id <= %s ORDER BY id LIMIT %s) c"""
_FIRST_OF_LATER = "SELECT id FROM trading_{} WHERE id > %s AND id <= %s AND seq > %s ORDER BY id LIMIT 1"
TOUCHED = """
SELECT portfolio_id FROM trading_command
  WHERE id > %(command)s AND id <= %(command_upto)s AND portfolio_id > 0
UNION SELECT portfolio_id FROM trading_fill WHERE id > %(fill)s AND id <= %(fill_upto)s
UNION SELECT debit_account FROM trading_transfer
  WHERE id > %(transfer)s AND id <= %(transfer_upto)s AND debit_account > 0
UNION SELECT credit_account FROM trading_transfer
  WHERE id > %(transfer)s AND id <= %(transfer_upto)s AND credit_account > 0
ORDER BY 1"""


def heads(connection: Connection, world: int) -> Heads:
    """Where journal, fills and transfers stand in this snapshot."""
    first, last = beginning(world), end(world)
    return Heads(
        *[
            _one(
                connection,
                _LAST.format(name),
                getattr(first, name),
                getattr(first, name),
                getattr(last, name),
            )
            for name in ("command", "fill", "transfer")
        ]
    )


def windows(
    connection: Connection, after: Heads, upto: Heads, size: int = COMMANDS_PER_WINDOW
) -> Iterator[Span]:
    """The rows between two heads, piece by piece."""
    while after.command < upto.command:
        command = _one(connection, _NTH_COMMAND, upto.command, after.command, upto.command, size)
        to = upto
        if command < upto.command:
            fill, transfer = (
                _last_of(connection, name, getattr(after, name), getattr(upto, name), command)
                for name in ("fill", "transfer")
            )
            to = Heads(command, fill, transfer)
        yield Span(after, to)
        after = to


def chunks(portfolios: list[int], span: Span, size: int = PORTFOLIOS_PER_CHUNK) -> Iterator[Span]:
    """The span, with so many of these portfolios at a time."""
    for start in range(0, len(portfolios), size):
        yield Span(span.after, span.upto, tuple(portfolios[start : start + size]))


def everybody(connection: Connection, world: int) -> list[int]:
    """All portfolios of the world."""
    return [row[0] for row in connection.execute(PORTFOLIOS, (world,)).fetchall()]


def touched(connection: Connection, after: Heads, upto: Heads) -> list[int]:
    """The portfolios that the rows between two heads speak of."""
    values = msgspec.structs.asdict(after)
    values |= {f"{name}_upto": head for name, head in msgspec.structs.asdict(upto).items()}
    return [row[0] for row in connection.execute(TOUCHED, values).fetchall()]


def _last_of(connection: Connection, table: str, after: int, upto: int, command: int) -> int:
    """The last row of `table` that the commands up to `command` wrote."""
    seq = command & (1 << WORLD_SHIFT) - 1
    later = connection.execute(_FIRST_OF_LATER.format(table), (after, upto, seq)).fetchone()
    return later[0] - 1 if later else upto


def _one(connection: Connection, sql: str, *values: int) -> int:
    row = connection.execute(sql, values).fetchone()
    assert row is not None
    return row[0]
