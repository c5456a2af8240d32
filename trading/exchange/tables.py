"""One statement per table and batch: `INSERT` or `UPDATE` from arrays, one array per column. Pure.

Columns are declared as `{column: kind}` (arrays.KINDS), or `{column: "kind field"}` where the engine's
row calls it otherwise. Constants are the first parameters, bigint; a named one fills that column.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from trading.exchange.arrays import KINDS, bigint

OF_ONE_WIDTH = frozenset(("bigint[]", "int[]", "smallint[]", "timestamptz[]", "bool[]"))
MISSING = "22012"  # division by zero: how `update` ends a transaction that would leave a row out


class Statement(NamedTuple):
    """`rows`: how many it must touch; less is a row that is not there, and the batch must not stand."""

    name: bytes  # under which it is prepared, once per connection
    sql: bytes
    values: list[bytes]
    rows: int | None = None
    exact: bool = False  # the statement itself fails with MISSING when it touches fewer


class Columns:
    """A statement that takes one array per column."""

    def __init__(self, name: str, sql: str, columns: dict[str, str], *, exact: bool = False):
        self.name, self.sql, self.exact = name.encode(), sql.encode(), exact
        self._encode = [KINDS[kind][2] for kind in _kinds(columns).values()]
        self._fields = [kind.partition(" ")[2] or column for column, kind in columns.items()]
        self._of_row = attrgetter(*self._fields)

    def of(self, columns: Iterable[Sequence[Any]], *constants: int) -> Statement:
        """`columns` in the order in which they were declared, at least one row long."""
        every = list(columns)
        values = [bigint(each) for each in constants]
        values += [encode(column) for encode, column in zip(self._encode, every, strict=True)]
        return Statement(self.name, self.sql, values, len(every[0]), self.exact)

    def of_rows(self, rows: Iterable[Any], *constants: int) -> Statement:
        """From the engine's rows, at least one."""
        return self.of(zip(*map(self._of_row, rows), strict=True), *constants)

    def of_caused(self, caused: Sequence[tuple[int, Any]], *constants: int) -> Statement:
        """From pairs of a command's number and a row that it caused: the number is the last column."""
        of_row = attrgetter(*self._fields[:-1])
        columns = zip(*[of_row(row) for _, row in caused], strict=True)
        return self.of([*columns, [seq for seq, _ in caused]], *constants)


def insert(table: str, columns: dict[str, str], *constants: str, tail: str = "") -> Columns:
    """`constants`: the columns that they fill; "" for none."""
    named = [name for name in constants if name]
    first = [f"${n}::bigint" for n, name in enumerate(constants, 1) if name]
    rows = Rows(columns, len(constants))
    sql = (
        f"INSERT INTO {table} ({', '.join([*named, *columns])}) "
        f"SELECT {', '.join([*first, *rows.stored.values()])} FROM {rows} {tail}"
    )
    return Columns(f"insert_{table}", sql, columns)


def update(table: str, columns: dict[str, str], *, key: str, keep: tuple[str, ...] = ()) -> Columns:
    """Rows found by `key`, the first column; columns in `keep` never change after the insert.

    COMMIT leaves in the same breath, so the server has to refuse a row that is not there: dividing by
    nothing does, and needs no function of ours.
    """
    used = {column: kind for column, kind in columns.items() if column not in keep}
    rows = Rows(used, key=key)
    stored = ", ".join(f"{name} = {value}" for name, value in rows.stored.items() if name != key)
    touched = f"UPDATE {table} t SET {stored} FROM {rows} WHERE t.{key} = r.{key} RETURNING 1"
    keys = f"$1::{KINDS[next(iter(_kinds(used).values()))][0]}"
    sql = f"WITH done AS ({touched}) SELECT 1 / (count(*) = cardinality({keys}))::int FROM done"
    return Columns(f"update_{table}", sql, used, exact=True)


def upsert(table: str, columns: dict[str, str], *, key: tuple[str, ...], name: str = "") -> Columns:
    """An insert that changes what is there already. `name`: where a table has a second one."""
    changing = ", ".join(f"{column} = excluded.{column}" for column in columns if column not in key)
    made = insert(table, columns, tail=f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changing}")
    made.name = name.encode() or made.name
    return made


def _kinds(columns: dict[str, str]) -> dict[str, str]:
    return {column: kind.partition(" ")[0] for column, kind in columns.items()}


class Rows:
    """The arrays side by side, as `r`; `before`: parameters that come first.

    `unnest` keeps each element in a row of its own, and puts these rows together again. So it is asked for
    texts, whose place in an array is found by passing all before it, and for the `key` by which rows are
    found; what has a width is read out of its array at the row's place. See decision 0084.
    """

    def __init__(self, columns: dict[str, str], before: int = 0, key: str = ""):
        kinds = _kinds(columns)
        passed = {column for column, kind in kinds.items() if KINDS[kind][0] not in OF_ONE_WIDTH}
        passed |= {key} if key else {next(iter(kinds))} if not passed else set()
        self.stored: dict[str, str] = {}  # what is stored of each column
        arrays: dict[str, str] = {}
        for n, (column, kind) in enumerate(kinds.items(), before + 1):
            array, stored, _ = KINDS[kind]
            value = f"(${n}::{array})[r.place::int]"
            if column in passed:
                value, arrays[column] = f"r.{column}", f"${n}::{array}"
            self.stored[column] = stored.format(value)
        self._sql = f"unnest({', '.join(arrays.values())}) WITH ORDINALITY AS r({', '.join(arrays)}, place)"

    def __str__(self) -> str:
        return self._sql
