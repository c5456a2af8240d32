"""What a replay made, held against what is stored: row by row, field by field. Shows the first difference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from simgame.kernel import clock
from simgame.kernel.ids import world_key
from trading.engine.events import BalanceRow, FillRow, OrderRow, PositionRow, TransferRow
from trading.engine.orders import TERMINAL
from trading.exchange import recovery
from trading.exchange.batch import encode_json
from trading.messages import UnknownFormat, events_of
from trading.proof.journal import Connection, number_of
from trading.proof.replay import Chunk, Replay, answers

ROW = "SELECT to_jsonb(t) || jsonb_build_object('receipt', t.receipt::jsonb) FROM "
FILLS = ROW + "trading_fill t WHERE id BETWEEN %s AND %s ORDER BY id"
TRANSFERS = "SELECT to_jsonb(t) FROM trading_transfer t WHERE id BETWEEN %s AND %s ORDER BY id"
ORDERS = ROW + "trading_order t WHERE id = ANY(%s::uuid[])"
EVENTS = """
SELECT portfolio_id, seq, command, rows, body::json, noticed FROM trading_accountevent
JOIN unnest(%s::bigint[], %s::bigint[]) AS k(p, s) ON portfolio_id = k.p AND seq = k.s"""
ORDERS_N = "SELECT count(*) FROM trading_order WHERE world_id = %s"
LAST = "SELECT max(id) FROM {} WHERE id BETWEEN %s AND %s"
BALANCES = """
SELECT account, asset, posted, reserved
FROM trading_balance b JOIN trading_ledgeraccount a ON a.id = b.account WHERE a.world_id = %s"""
POSITIONS = """
SELECT to_jsonb(p) FROM trading_position p JOIN trading_ledgeraccount a ON a.portfolio_id = p.portfolio_id
WHERE a.world_id = %s"""
PORTFOLIOS = """
SELECT p.id, p.status, p.margin_call_ns, p.accrued_day,
    (SELECT max(seq) FROM trading_accountevent e WHERE e.portfolio_id = p.id)
FROM trading_portfolio p JOIN trading_ledgeraccount a ON a.portfolio_id = p.id WHERE a.world_id = %s"""

# Fields of the engine's rows → columns, where their names differ.
COLUMNS = {
    "portfolio": "portfolio_id",
    "n": "id",
    "debit": "debit_account",
    "credit": "credit_account",
    "fill": "fill_id",
    "submitted_ns": "submitted_at",
    "updated_ns": "updated_at",
    "closed_ns": "closed_at",
    "at_ns": "at",
}
NOT_STORED = {"exec_type", "event"}
ROW_KEYS = {"n", "match", "fill", "reverses"}  # numbers that the tables keep as keys of the world
ORDERS_AT_ONCE = 500
ABSENT = "no such row"


class Difference(msgspec.Struct, frozen=True):
    """The first thing that is stored otherwise than the replay makes it."""

    seq: int  # the command that made the row; the head's for the state at the end
    table: str
    key: str
    field: str
    stored: Any
    replayed: Any

    def __str__(self) -> str:
        return (
            f"command {self.seq}: {self.table} {self.key}, field {self.field}:\n"
            f"  stored   {self.stored}\n  replayed {self.replayed}"
        )


class Comparison:
    """Follows a replay, inside its snapshot."""

    def __init__(
        self, connection: Connection, world: int, message: Callable[[bytes], bytes], *, first: int = 1
    ):
        """Rows of commands before `first` are not compared. `message`: of an account event's rows."""
        self.connection = connection
        self.message = message
        self.world = world
        self.first = first
        self.compared: dict[str, int] = {}
        self._fills = self._transfers = 0
        self._later: dict[str, tuple[int, OrderRow]] = {}  # the stored row tells of a later command

    def chunk(self, chunk: Chunk) -> Difference | None:
        """The first difference among the rows of these commands, in the order of the commands."""
        found = [
            each
            for each in (
                self._answers(chunk),
                self._numbered("fill", FILLS, chunk.batch.fills),
                self._numbered("transfer", TRANSFERS, chunk.batch.transfers),
                self._events(chunk),
                self._ended(chunk),
            )
            if each is not None
        ]
        return min(found, key=lambda each: each.seq, default=None)

    def end(self, replay: Replay) -> Difference | None:
        """At the head of the journal: every open order, balance and position, and that nothing is stored
        that no command made.
        """
        seq = replay.seq
        for found in (
            self._order_rows({key: row for key, (_, row) in self._later.items()}, seq, final=True),
            self._order_rows(replay.rows.orders, seq, final=True),
            self._counts(replay),
            self._balances(replay),
            self._positions(replay),
            self._portfolios(replay),
        ):
            if found is not None:
                return found
        return None

    def _count(self, table: str, n: int) -> None:
        self.compared[table] = self.compared.get(table, 0) + n

    def _answers(self, chunk: Chunk) -> Difference | None:
        for said, made in answers(chunk):
            if said.seq < self.first:
                continue
            self._count("command", 1)
            stored, replayed = msgspec.json.decode(said.result), msgspec.json.decode(made)
            if stored != replayed:
                where, a, b = _where(stored, replayed)
                return Difference(said.seq, "command", str(said.seq), f"result{where}", a, b)
        return None

    def _numbered(
        self, table: str, sql: str, made: list[tuple[int, FillRow]] | list[tuple[int, TransferRow]]
    ) -> Difference | None:
        if not made or made[-1][0] < self.first:
            return None
        key = made[0][1].n, made[-1][1].n
        cursor = self.connection.execute(sql, (world_key(self.world, key[0]), world_key(self.world, key[1])))
        stored = {number_of(row["id"]): row for (row,) in cursor.fetchall()}
        for seq, row in made:
            if seq < self.first:
                continue
            self._count(table, 1)
            found = stored.get(row.n)
            expected = {**_columns(row, self.world), "seq": seq}
            if difference := _differs(seq, table, str(row.n), found, expected):
                return difference
        return None

    def _events(self, chunk: Chunk) -> Difference | None:
        made = chunk.batch.account_events
        if not made:
            return None
        keys = [each[0] for each in made], [each[1] for each in made]
        stored = {(row[0], row[1]): row for row in self.connection.execute(EVENTS, keys).fetchall()}
        for portfolio, number, command, rows, noticed in made:
            seq = number_of(command)
            if seq < self.first:
                continue
            self._count("accountevent", 1)
            row = stored.get((portfolio, number))
            expected = {"command": seq, "noticed": noticed}
            found = row and {"command": number_of(row[2]), "noticed": row[5]}
            if row and row[3] is None:  # stored by an older release, as the message
                found["body"], expected["body"] = row[4], msgspec.json.decode(self.message(rows))
            elif row and row[3].encode() != rows:
                found["rows"], expected["rows"] = _builtins(row[3]), _builtins(rows)
            if difference := _differs(seq, "accountevent", f"{portfolio}/{number}", found, expected):
                return difference
        return None

    def _ended(self, chunk: Chunk) -> Difference | None:
        """Orders whose end came: nothing may come after it, unless a later command says so."""
        ended = {key: row for key, row in chunk.batch.orders.items() if row.status in TERMINAL}
        return self._order_rows(ended, chunk.last_seq, final=False)

    def _order_rows(self, made: dict[str, OrderRow], seq: int, *, final: bool) -> Difference | None:
        for part in _parts(made, ORDERS_AT_ONCE):
            rows = self.connection.execute(ORDERS, (list(part),)).fetchall()
            stored = {row["id"]: row for (row,) in rows}
            for key in part:
                row, found = made[key], stored.get(key)
                if not final and found is not None and found["version"] > row.version:
                    self._later[key] = (seq, row)
                    continue
                self._later.pop(key, None)
                self._count("order", 1)
                if difference := _differs(seq, "order", key, found, _columns(row, self.world)):
                    return difference
        return None

    def _counts(self, replay: Replay) -> Difference | None:
        state, seq = replay.engine.state, replay.seq
        for table, made in (("trading_fill", state.fills_n), ("trading_transfer", state.transfers_n)):
            span = world_key(self.world, 1), world_key(self.world + 1, 0) - 1
            row = self.connection.execute(LAST.format(table), span).fetchone()
            stored = number_of(row[0]) if row and row[0] else 0
            if stored != made:
                return Difference(seq, table.removeprefix("trading_"), "last", "id", stored, made)
        row = self.connection.execute(ORDERS_N, (self.world,)).fetchone()
        if row and row[0] != replay.rows.orders_n:
            return Difference(seq, "order", "all", "count", row[0], replay.rows.orders_n)
        return None

    def _balances(self, replay: Replay) -> Difference | None:
        made = dict(replay.rows.balances)
        for account, asset, posted, reserved in self.connection.execute(BALANCES, (self.world,)):
            self._count("balance", 1)
            row = made.pop((account, asset), BalanceRow(account, asset, 0, 0))
            found = {"posted": posted, "reserved": reserved}
            expected = {"posted": row.posted, "reserved": row.reserved}
            if difference := _differs(replay.seq, "balance", f"{account}/{asset}", found, expected):
                return difference
        return _left_over(replay.seq, "balance", made)

    def _positions(self, replay: Replay) -> Difference | None:
        made = dict(replay.rows.positions)
        for (found,) in self.connection.execute(POSITIONS, (self.world,)):
            self._count("position", 1)
            key = (found["portfolio_id"], found["symbol"])
            row = made.pop(key, None)
            expected = _columns(row, self.world) if row else {"portfolio_id": ABSENT}
            if difference := _differs(replay.seq, "position", f"{key[0]}/{key[1]}", found, expected):
                return difference
        return _left_over(replay.seq, "position", made)

    def _portfolios(self, replay: Replay) -> Difference | None:
        for portfolio, status, call_ns, day, head in self.connection.execute(PORTFOLIOS, (self.world,)):
            self._count("portfolio", 1)
            found = {"status": status, "call_ns": call_ns, "accrued_day": day, "last_event": head or 0}
            row = replay.rows.portfolios.get(portfolio)
            expected = {
                "status": row.status if row else ABSENT,
                "call_ns": row.call_ns if row else 0,
                "accrued_day": row.accrued_day if row else 0,
                "last_event": replay.streams.heads.get(portfolio, 0),
            }
            if difference := _differs(replay.seq, "portfolio", str(portfolio), found, expected):
                return difference
        return None


def stored_hash(connection: Connection, replay: Replay) -> str:
    """The state hash of the stored rows, inside the replay's snapshot."""
    books = recovery.rows(connection, replay.world)
    rules = [market.rules for market in replay.engine.state.markets.values() if market.rules]
    return recovery.engine_of(books, replay.world, rules, ()).state_hash()


def _left_over(seq: int, table: str, made: dict[Any, BalanceRow | PositionRow]) -> Difference | None:
    for key, row in made.items():
        return Difference(seq, table, "/".join(map(str, key)), "row", ABSENT, repr(row))
    return None


def _builtins(rows: bytes | str) -> Any:
    try:
        return msgspec.to_builtins(events_of(rows))
    except UnknownFormat:
        return rows


def _columns(row: msgspec.Struct, world: int) -> dict[str, Any]:
    """An engine's row under the names, and in the units, of its table."""
    columns: dict[str, Any] = {}
    for name in row.__struct_fields__:
        value = getattr(row, name)
        if name in NOT_STORED:
            continue
        if name in ROW_KEYS:
            value = world_key(world, value) if value else None
        elif isinstance(value, dict | tuple | msgspec.Struct):
            value = msgspec.json.decode(encode_json(value))
        elif name == "closed_ns":
            value = value or None
        columns[COLUMNS.get(name, name)] = value
    return columns


def _differs(
    seq: int, table: str, key: str, found: dict[str, Any] | None, expected: dict[str, Any]
) -> Difference | None:
    if found is None:
        return Difference(seq, table, key, "row", ABSENT, expected)
    for name, made in expected.items():
        if name not in found:
            continue  # kept elsewhere: a position's reserved is its balance's
        stored = found[name]
        if (name == "at" or name.endswith("_at")) and stored is not None:
            stored = clock.parse_rfc3339(stored)
        if stored != made:
            where, a, b = _where(stored, made)
            return Difference(seq, table, key, name + where, a, b)
    return None


def _where(stored: Any, made: Any, path: str = "") -> tuple[str, Any, Any]:
    """The innermost place where two JSON values differ."""
    if isinstance(stored, dict) and isinstance(made, dict):
        for name in (*made, *stored):
            if stored.get(name, ABSENT) != made.get(name, ABSENT):
                return _where(stored.get(name, ABSENT), made.get(name, ABSENT), f"{path}.{name}")
    if isinstance(stored, list) and isinstance(made, list) and len(stored) == len(made):
        for n, (a, b) in enumerate(zip(stored, made, strict=True)):
            if a != b:
                return _where(a, b, f"{path}[{n}]")
    return path, stored, made


def _parts(keys: Iterable[str], size: int) -> Iterator[list[str]]:
    part: list[str] = []
    for key in keys:
        part.append(key)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
