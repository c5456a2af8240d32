"""One statement per table and batch: `INSERT` or `UPDATE` from arrays, one array per column. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from trading.exchange.arrays import KINDS, bigint


class Statement(NamedTuple):
    """`rows`: how many it must touch; less is a row that is not there, and the batch must not stand."""

    name: bytes  # under which it is prepared, once per connection
    sql: bytes
    values: list[bytes]
    rows: int | None = None


class Columns:
    """A statement's columns and how each is encoded: `{column: kind}`, kinds as in arrays.KINDS."""

    def __init__(self, name: str, sql: str, columns: dict[str, str], constants: int = 0):
        self.name, self.sql = name.encode(), sql.encode()
        self.constants = constants
        self.encode = [KINDS[kind][2] for kind in columns.values()]

    def of(self, columns: Iterable[Sequence[Any]], constants: tuple[int, ...] = ()) -> Statement:
        """`columns` in the order in which they were declared, at least one row long."""
        every = list(columns)
        values = [bigint(each) for each in constants]
        values += [encode(column) for encode, column in zip(self.encode, every, strict=True)]
        return Statement(self.name, self.sql, values, len(every[0]))


def insert(
    table: str, columns: dict[str, str], *, constants: tuple[str, ...] = (), tail: str = ""
) -> Columns:
    """`constants` are columns that are the same in every row: the first parameters, bigint."""
    names = ", ".join((*constants, *columns))
    first = [f"${n}::bigint" for n in range(1, len(constants) + 1)]
    stored = [KINDS[kind][1].format(column) for column, kind in columns.items()]
    rows = _rows(columns, len(constants))
    sql = f"INSERT INTO {table} ({names}) SELECT {', '.join([*first, *stored])} FROM {rows} {tail}"
    return Columns(f"insert_{table}", sql, columns, len(constants))


def update(table: str, columns: dict[str, str], *, key: str, keep: tuple[str, ...] = ()) -> Columns:
    """Rows found by `key`; columns in `keep` never change after the insert."""
    changing = {column: kind for column, kind in columns.items() if column not in (key, *keep)}
    stored = ", ".join(f"{name} = {KINDS[kind][1].format(f'r.{name}')}" for name, kind in changing.items())
    used = {key: columns[key], **changing}
    sql = f"UPDATE {table} t SET {stored} FROM {_rows(used)} WHERE t.{key} = r.{key}"
    return Columns(f"update_{table}", sql, used)


def on_conflict(key: str, columns: dict[str, str]) -> str:
    """The tail of an insert that becomes an update of what is there."""
    changing = [column for column in columns if column not in key.split(", ")]
    return f"ON CONFLICT ({key}) DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in changing)


def _rows(columns: dict[str, str], before: int = 0) -> str:
    arrays = ", ".join(f"${n}::{KINDS[kind][0]}" for n, kind in enumerate(columns.values(), before + 1))
    return f"unnest({arrays}) AS r({', '.join(columns)})"
