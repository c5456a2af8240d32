"""The SQL of one batch: one statement per table, its rows as arrays. Pure: rows in, bytes out.

The columns of a table stand in the order of the engine's row, so that rows turn into columns at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from simgame.kernel.ids import WORLD_SHIFT
from trading.engine.events import OrderRow
from trading.exchange import arrays, heard
from trading.exchange.batch import Batch
from trading.exchange.tables import Columns, Statement, insert, on_conflict, update

encode_json = msgspec.json.Encoder().encode
astuple = msgspec.structs.astuple

LOOK_UP = """
SELECT c.portfolio_id, c.kind, c.client_id, c.fingerprint, c.result
FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS k(portfolio, kind, client_id)
CROSS JOIN LATERAL (
  SELECT * FROM trading_command c
  WHERE c.portfolio_id = k.portfolio AND c.kind = k.kind AND c.client_id = k.client_id LIMIT 1) c"""

KEYS = """
SELECT portfolio_id, kind, client_id FROM trading_command
WHERE id > %s AND id <= %s AND client_id IS NOT NULL"""

BEGIN = Statement(b"begin", b"BEGIN", [])
COMMIT = Statement(b"commit", b"COMMIT", [])
FENCE = b"SELECT assert_epoch($1::bigint, $2::bigint)"

HEARD = b"INSERT INTO trading_heard (world_id, seq, page) VALUES ($1::bigint, $2::bigint, $3::bytea)"

COMMANDS = insert(
    "trading_command",
    {
        "id": "bigint",
        "portfolio_id": "bigint?",
        "kind": "word",
        "client_id": "text?",
        "fingerprint": "blob",
        "payload": "json",
        "result": "json",
        "tick_seq": "bigint",
        "at": "instant",
    },
    constants=("epoch",),
)

ORDER_COLUMNS = {
    "id": "uuid",
    "portfolio_id": "bigint",
    "symbol": "word",
    "client_order_id": "text",
    "side": "word",
    "type": "word",
    "time_in_force": "word",
    "qty": "bigint",
    "limit_price": "bigint?",
    "status": "word",
    "reason": "word",
    "filled_qty": "bigint",
    "filled_value": "decimal",
    "filled_cash": "bigint",
    "fees": "bigint",
    "reserved_cash": "bigint",
    "reserved_qty": "bigint",
    "queue_ahead": "bigint",
    "priority": "bigint",
    "version": "int",
    "market_day": "int",
    "submitted_at": "instant",
    "updated_at": "instant",
    "closed_at": "instant?",
    "receipt": "json",
    "terms": "json?",
}
ORDER_CONSTANT = (
    "portfolio_id", "symbol", "client_order_id", "side", "type", "market_day", "submitted_at",
)  # fmt: skip
NEW_ORDERS = insert("trading_order", ORDER_COLUMNS, constants=("world_id",))
CHANGED_ORDERS = update("trading_order", ORDER_COLUMNS, key="id", keep=ORDER_CONSTANT)
_order_keeps = [name not in ORDER_CONSTANT for name in ORDER_COLUMNS]

FILLS = insert(
    "trading_fill",
    {
        "id": "bigint",
        "match": "bigint",
        "order_id": "uuid",
        "portfolio_id": "bigint",
        "symbol": "word",
        "side": "word",
        "price": "bigint",
        "qty": "bigint",
        "cash": "bigint",
        "fees": "json",
        "fee": "bigint",
        "against": "word",
        "market_day": "int",
        "at": "instant",
        "receipt": "json",
        "seq": "bigint",
    },
)

TRANSFERS = insert(
    "trading_transfer",
    {
        "id": "bigint",
        "code": "smallint",
        "debit_account": "bigint",
        "credit_account": "bigint",
        "asset": "word",
        "amount": "bigint",
        "fill_id": "bigint?",
        "reverses": "bigint?",
        "seq": "bigint",
    },
)

BALANCE_COLUMNS = {"account": "bigint", "asset": "word", "posted": "bigint", "reserved": "bigint"}
BALANCES = insert("trading_balance", BALANCE_COLUMNS, tail=on_conflict("account, asset", BALANCE_COLUMNS))

POSITION_COLUMNS = {
    "portfolio_id": "bigint",
    "symbol": "word",
    "qty": "bigint",
    "bought_today": "bigint",
    "market_day": "int",
    "cost": "bigint",
    "realised": "bigint",
    "day_start_qty": "bigint",
    "day_cash": "bigint",
}
POSITIONS = insert(
    "trading_position", POSITION_COLUMNS, tail=on_conflict("portfolio_id, symbol", POSITION_COLUMNS)
)

ACCOUNTS = insert(
    "trading_ledgeraccount",
    {"id": "bigint", "name": "word", "portfolio_id": "bigint"},
    constants=("world_id",),
)
PORTFOLIOS = update("trading_portfolio", {"id": "bigint", "status": "word"}, key="id")
HALTS = Columns(
    "halts",
    "UPDATE market_instrument i SET halted = r.halted "
    "FROM unnest($2::text[], $3::bool[]) AS r(symbol, halted) "
    "WHERE i.world_id = $1::bigint AND i.symbol = r.symbol",
    {"symbol": "word", "halted": "flag"},
    constants=1,
)
ACCOUNT_EVENTS = insert(
    "trading_accountevent", {"portfolio_id": "bigint", "seq": "bigint", "command": "bigint", "body": "json"}
)


def of(batch: Batch, epoch: int) -> Iterator[Statement]:
    """Every statement of the transaction between BEGIN and COMMIT, the fence first."""
    world = (batch.world,)
    yield Statement(b"fence", FENCE, [arrays.bigint(batch.world), arrays.bigint(epoch)])
    if batch.heard:
        page = heard.page_of(batch.heard)
        yield Statement(b"heard", HEARD, [*map(arrays.bigint, (batch.world, batch.heard[0].seq)), page])
    if batch.commands:
        yield COMMANDS.of(zip(*batch.commands, strict=True), (epoch,))
    if batch.opened:
        names = ["portfolio"] * len(batch.opened)
        yield ACCOUNTS.of((batch.opened, names, batch.opened), world)
    created = [row for row in batch.orders.values() if row.id in batch.created]
    if created:
        yield NEW_ORDERS.of(_order_columns(created), world)
    if len(created) < len(batch.orders):
        changed = [row for row in batch.orders.values() if row.id not in batch.created]
        columns = zip(_order_columns(changed), _order_keeps, strict=True)
        yield CHANGED_ORDERS.of([column for column, changes in columns if changes])
    if batch.fills:
        yield FILLS.of(_fill_columns(batch))
    if batch.transfers:
        yield TRANSFERS.of(_transfer_columns(batch))
    if batch.balances:
        yield BALANCES.of(zip(*map(astuple, batch.balances.values()), strict=True))
    if batch.positions:
        yield POSITIONS.of(_position_columns(batch))
    if batch.portfolios:
        yield PORTFOLIOS.of((list(batch.portfolios), list(batch.portfolios.values())))
    if batch.halts:
        yield HALTS.of((list(batch.halts), list(batch.halts.values())), world)._replace(rows=None)
    if batch.account_events:
        yield ACCOUNT_EVENTS.of(zip(*batch.account_events, strict=True))


def _order_columns(rows: Iterable[OrderRow]) -> list[Any]:
    """The rows' fields behind `exec_type`; receipts and terms, the last, encoded."""
    _, *columns, receipts, terms = zip(*map(astuple, rows), strict=True)
    told = [None if each is None else encode_json(each) for each in terms]
    return [*columns, [encode_json(receipt) for receipt in receipts], told]


def _fill_columns(batch: Batch) -> list[Any]:
    key = batch.world << WORLD_SHIFT
    seqs = [seq for seq, _ in batch.fills]
    number, match, *columns = zip(*[astuple(row) for _, row in batch.fills], strict=True)
    columns[7] = [encode_json(fees) for fees in columns[7]]
    columns[12] = [encode_json(receipt) for receipt in columns[12]]
    return [[key | n for n in number], [key | n for n in match], *columns, seqs]


def _transfer_columns(batch: Batch) -> list[Any]:
    key = batch.world << WORLD_SHIFT
    seqs = [seq for seq, _ in batch.transfers]
    number, *columns, fill, reverses = zip(*[astuple(row) for _, row in batch.transfers], strict=True)
    named = [[key | n if n else None for n in each] for each in (fill, reverses)]
    return [[key | n for n in number], *columns, *named, seqs]


def _position_columns(batch: Batch) -> list[Any]:
    """Without `reserved`: that is the balance's."""
    portfolio, symbol, qty, _, *rest = zip(*map(astuple, batch.positions.values()), strict=True)
    return [portfolio, symbol, qty, *rest]
