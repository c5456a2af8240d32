"""From the tables to an engine that can go on: one snapshot, checked, never repaired.

No log is replayed to serve, because rows are the state (reliability section 4.5).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import psycopg
import structlog
from msgspec import structs

from simgame.kernel import clock, failpoints
from simgame.kernel.ids import WORLD_SHIFT, world_key
from trading import invariants
from trading.engine.accounts import CLEARING, CORPORATE, FEES, LENDER, MARKET, MINT, system_account
from trading.engine.commands import CorporateAction, MarginTerms
from trading.engine.engine import Engine
from trading.engine.events import BalanceRow, OrderRow, OrderTerms, PositionRow
from trading.engine.records import PortfolioState
from trading.exchange.applier import Head
from trading.models.order import OPEN_STATUSES, TERMINAL_STATUSES

CLOSED_REMEMBERED = 20_000  # ended orders, newest first: tells "too late" from "unknown"
SYSTEM_ACCOUNTS = {
    MARKET: "market",
    FEES: "fees",
    MINT: "mint",
    CORPORATE: "corporate",
    CLEARING: "clearing",
    LENDER: "lender",
}
log = structlog.get_logger(__name__)

# However many orders are open: books that take long to read must still be read.
SNAPSHOT = """BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"""
NS = "(extract(epoch FROM {}) * 1000000)::bigint * 1000"  # a timestamptz in nanoseconds
# As plain columns, and the receipt as its text, of which little is read.
OPEN_ORDERS = f"""
SELECT id::text, portfolio_id, symbol, client_order_id, side, type, time_in_force, qty, limit_price, status,
    reason, filled_qty, filled_value::text, filled_cash, fees, reserved_cash, reserved_qty, queue_ahead,
    priority, version, market_day, {NS.format("submitted_at")}, {NS.format("updated_at")},
    receipt::text, terms::text
FROM trading_order WHERE world_id = %s AND status = ANY(%s)"""
CLOSED_ORDERS = """
SELECT id::text, portfolio_id, status FROM trading_order WHERE world_id = %s AND status = ANY(%s)
ORDER BY id DESC LIMIT %s"""
ACCOUNTS = """
SELECT p.id, g.currency, p.status, p.margin, p.margin_call_ns, p.accrued_day,
    (SELECT max(seq) FROM trading_accountevent e WHERE e.portfolio_id = p.id)
FROM trading_ledgeraccount a JOIN trading_portfolio p ON p.id = a.portfolio_id
JOIN trading_game g ON g.id = p.game_id WHERE a.world_id = %s"""
BALANCES = """
SELECT b.account, b.asset, b.posted, b.reserved, b.may_owe
FROM trading_balance b JOIN trading_ledgeraccount a ON a.id = b.account WHERE a.world_id = %s"""
POSITIONS = """
SELECT p.portfolio_id, p.symbol, p.qty, coalesce(b.reserved, 0), p.bought_today, p.market_day, p.cost,
    p.realised, p.day_start_qty, p.day_cash
FROM trading_position p JOIN trading_ledgeraccount a ON a.portfolio_id = p.portfolio_id
LEFT JOIN trading_balance b ON b.account = p.portfolio_id AND b.asset = p.symbol WHERE a.world_id = %s"""
ACTIONS = "SELECT payload::text, status FROM trading_appliedaction WHERE world_id = %s"
UNDONE = "SELECT reverses FROM trading_transfer WHERE reverses IS NOT NULL AND id BETWEEN %s AND %s"
HEAD = "SELECT id, at, tick_seq FROM trading_command WHERE id BETWEEN %s AND %s ORDER BY id DESC LIMIT 1"
LAST_KEY = "SELECT max(id) FROM {table} WHERE id BETWEEN %s AND %s"
OPEN_BREAKS = """
SELECT invariant, subject, evidence FROM trading_break
WHERE world_id = %s AND state = 'open' AND portfolios = '[]'"""
EXPLAINED = "SELECT digest FROM trading_break WHERE world_id = %s AND state = 'explained'"
SYSTEM_ACCOUNT = """
INSERT INTO trading_ledgeraccount (id, world_id, name) VALUES (%s, %s, %s) ON CONFLICT (id) DO NOTHING"""


class OpenReceipt(msgspec.Struct, gc=False):
    """What restoring asks of an open order's receipt."""

    waits: str = ""
    collar: int | None = None


decode_open = msgspec.json.Decoder(OpenReceipt).decode
decode_terms = msgspec.json.Decoder(OrderTerms).decode
decode_action = msgspec.json.Decoder(CorporateAction).decode
Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass
class Books:
    """What one snapshot says."""

    portfolios: list[PortfolioState] = field(default_factory=list)
    balances: list[BalanceRow] = field(default_factory=list)
    positions: list[PositionRow] = field(default_factory=list)
    orders: list[OrderRow] = field(default_factory=list)
    closed: list[tuple[str, int, str]] = field(default_factory=list)
    stream_heads: dict[int, int] = field(default_factory=dict)
    head: Head = field(default_factory=lambda: Head(0, 0))
    fills_n: int = 0
    transfers_n: int = 0
    actions: list[tuple[CorporateAction, str]] = field(default_factory=list)
    undone: list[int] = field(default_factory=list)
    breaks: list[invariants.Found] = field(default_factory=list)

    @property
    def market_day(self) -> int:
        """The last one that the books speak of, 0 when they never traded."""
        return max([row.market_day for row in (*self.orders, *self.positions)], default=0)


def ensure_system_accounts(connection: Connection, world: int) -> None:
    for code, name in SYSTEM_ACCOUNTS.items():
        connection.execute(SYSTEM_ACCOUNT, (system_account(world, code), world, name))


def read(connection: Connection, world: int) -> Books:
    """The books and what is wrong with it, as of one moment."""
    connection.execute(SNAPSHOT)
    try:
        books = rows(connection, world)
        books.breaks = _in_doubt(connection, world)
        return books
    finally:
        connection.execute("ROLLBACK")


def rows(connection: Connection, world: int) -> Books:
    """The books, inside the caller's snapshot."""
    books = Books()
    _read_accounts(connection, world, books)
    failpoints.passing(failpoints.FP8_IN_RECOVERY)
    _read_heads(connection, world, books)
    return books


def _in_doubt(connection: Connection, world: int) -> list[invariants.Found]:
    """What is broken and nobody has explained, here and by the checker's finding."""
    explained = {row[0] for row in connection.execute(EXPLAINED, (world,))}
    found = invariants.find(connection, world, invariants.cheap())
    known = [invariants.Found(*row) for row in connection.execute(OPEN_BREAKS, (world,))]
    return [*(each for each in found if each.digest(world) not in explained), *known]


def engine_of(books: Books, world: int, rules: Iterable[Any], halted: Iterable[str]) -> Engine:
    """Without `rules` they come as the first commands: they may have changed since these rows, and then
    orders hold more or less, or end."""
    engine = Engine(world)
    engine.restore(
        portfolios=books.portfolios,
        balances=books.balances,
        positions=books.positions,
        orders=books.orders,
        rules=rules,
        fills_n=books.fills_n,
        transfers_n=books.transfers_n,
        halted=halted,
        closed=books.closed,
        actions=books.actions,
        undone=books.undone,
    )
    return engine


def _read_accounts(connection: Connection, world: int, books: Books) -> None:
    for portfolio, currency, status, found, call_ns, day, head in connection.execute(ACCOUNTS, (world,)):
        margin = None if found is None else msgspec.convert(found, MarginTerms)
        books.portfolios.append(PortfolioState(portfolio, currency, status, "", margin, call_ns, day))
        books.stream_heads[portfolio] = head or 0
    books.balances = [BalanceRow(*row) for row in connection.execute(BALANCES, (world,))]
    books.positions = [PositionRow(*row) for row in connection.execute(POSITIONS, (world,))]
    books.orders = [_order(row) for row in connection.execute(OPEN_ORDERS, (world, list(OPEN_STATUSES)))]
    closed = connection.execute(CLOSED_ORDERS, (world, list(TERMINAL_STATUSES), CLOSED_REMEMBERED))
    actions = connection.execute(ACTIONS, (world,)).fetchall()
    books.actions = [(decode_action(payload), status) for payload, status in actions]
    books.closed = [(row[0], row[1], row[2]) for row in closed.fetchall()][::-1]


def _read_heads(connection: Connection, world: int, books: Books) -> None:
    span = world_key(world, 0), world_key(world + 1, 0) - 1
    row = connection.execute(HEAD, span).fetchone()
    if row is not None:
        books.head = Head(_number(row[0]), _nanoseconds(row[1]), row[2])
    books.fills_n = _last(connection, "trading_fill", span)
    books.transfers_n = _last(connection, "trading_transfer", span)
    books.undone = [_number(row[0]) for row in connection.execute(UNDONE, span)]


def _last(connection: Connection, table: str, span: tuple[int, int]) -> int:
    row = connection.execute(LAST_KEY.format(table=table), span).fetchone()
    return _number(row[0]) if row and row[0] is not None else 0


def _number(key: int) -> int:
    return key & (1 << WORLD_SHIFT) - 1


def _order(row: tuple[Any, ...]) -> OrderRow:
    """Its receipt holds only what restoring asks of it."""
    *sums, receipt, found = row[12:]
    terms = None if found is None else decode_terms(found)
    return OrderRow(
        "restated", *row[:12], int(row[12]), *sums[1:], 0, structs.asdict(decode_open(receipt)), terms
    )


def _nanoseconds(moment: datetime) -> int:
    return clock.parse_rfc3339(moment.isoformat())
