"""The SQL of one batch: one statement per table, its rows as arrays. Pure: rows in, bytes out.

A column is declared with its kind (arrays.KINDS), and with the field of the engine's row where that has
another name.
"""

from __future__ import annotations

from collections.abc import Iterator

from simgame.kernel.ids import WORLD_SHIFT
from trading.exchange import arrays, heard
from trading.exchange.batch import Batch
from trading.exchange.tables import Columns, Statement, insert, update, upsert

LOOK_UP = """
SELECT c.portfolio_id, c.kind, c.client_id, c.fingerprint, c.result::json
FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS k(portfolio, kind, client_id)
CROSS JOIN LATERAL (
  SELECT * FROM trading_command c
  WHERE c.portfolio_id = k.portfolio AND c.kind = k.kind AND c.client_id = k.client_id LIMIT 1) c"""

KEYS = """
SELECT portfolio_id, kind, client_id FROM trading_command
WHERE id > %s AND id <= %s AND client_id IS NOT NULL"""

RETIRED_WHY = "It was delisted, or has another name now."
BEGIN = Statement(b"begin", b"BEGIN", [])
COMMIT = Statement(b"commit", b"COMMIT", [])
BEAT = (
    b"UPDATE trading_exchangelease SET beat_at = now(), state = $3::text, why = $4::text "
    b"WHERE world_id = $1::bigint AND epoch = $2::bigint"
)
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
        "payload": "encoded",
        "result": "encoded",
        "tick_seq": "bigint",
        "at": "instant",
    },
    "epoch",
)

ORDER_COLUMNS = {
    "id": "uuid",
    "portfolio_id": "bigint portfolio",
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
    "submitted_at": "instant submitted_ns",
    "updated_at": "instant updated_ns",
    "closed_at": "instant? closed_ns",
    "receipt": "json",
    "terms": "jsonb?",
}
NEVER_CHANGE = (
    "portfolio_id", "symbol", "client_order_id", "side", "type", "submitted_at",
)  # fmt: skip
NEW_ORDERS = insert("trading_order", ORDER_COLUMNS, "world_id")
CHANGED_ORDERS = update("trading_order", ORDER_COLUMNS, key="id", keep=NEVER_CHANGE)

FILLS = insert(
    "trading_fill",
    {
        "id": "key n",
        "match": "key match",
        "order_id": "uuid",
        "portfolio_id": "bigint portfolio",
        "symbol": "word",
        "side": "word",
        "price": "bigint",
        "qty": "bigint",
        "cash": "bigint",
        "fees": "jsonb",
        "fee": "bigint",
        "against": "word",
        "market_day": "int",
        "at": "instant at_ns",
        "receipt": "json",
        "reverses": "key?",
        "seq": "bigint",
    },
    "",
)

TRANSFERS = insert(
    "trading_transfer",
    {
        "id": "key n",
        "code": "smallint",
        "debit_account": "bigint debit",
        "credit_account": "bigint credit",
        "asset": "word",
        "amount": "bigint",
        "fill_id": "key? fill",
        "reverses": "key?",
        "seq": "bigint",
    },
    "",
)

BALANCES = upsert(
    "trading_balance",
    {"account": "bigint", "asset": "word", "posted": "bigint", "reserved": "bigint"},
    key=("account", "asset"),
)

OWED = upsert(  # of margin portfolios: they may be less than nothing
    "trading_balance",
    {"account": "bigint", "asset": "word", "posted": "bigint", "reserved": "bigint", "may_owe": "flag"},
    key=("account", "asset"),
    name="upsert_owed_balance",
)

POSITIONS = upsert(
    "trading_position",
    {
        "portfolio_id": "bigint portfolio",
        "symbol": "word",
        "qty": "bigint",
        "bought_today": "bigint",
        "market_day": "int",
        "cost": "bigint",
        "realised": "bigint",
        "day_start_qty": "bigint",
        "day_cash": "bigint",
    },
    key=("portfolio_id", "symbol"),
)

ACCOUNTS = insert(
    "trading_ledgeraccount", {"id": "bigint", "name": "word", "portfolio_id": "bigint"}, "world_id"
)
PORTFOLIOS = update(
    "trading_portfolio",
    {
        "id": "bigint portfolio",
        "status": "word",
        "margin_call_ns": "bigint call_ns",
        "accrued_day": "int",
    },
    key="id",
)
HALTS = Columns(
    "halts",
    "UPDATE market_instrument i SET halted = r.halted, halt_reason = r.halt_reason "
    "FROM unnest($2::text[], $3::bool[], $4::text[]) AS r(symbol, halted, halt_reason) "
    "WHERE i.world_id = $1::bigint AND i.symbol = r.symbol",
    {"symbol": "word", "halted": "flag", "halt_reason": "text"},
)
RETIRED = Columns(
    "retired",
    "UPDATE market_instrument i SET tradable = r.tradable, why_not_tradable = r.why_not_tradable "
    "FROM unnest($2::text[], $3::bool[], $4::text[]) AS r(symbol, tradable, why_not_tradable) "
    "WHERE i.world_id = $1::bigint AND i.symbol = r.symbol",
    {"symbol": "word", "tradable": "flag", "why_not_tradable": "text"},
)
ACTIONS = insert(
    "trading_appliedaction",
    {"key": "word", "symbol": "word", "status": "word", "payload": "encoded-jsonb"},
    "world_id",
    tail="ON CONFLICT (world_id, key) DO UPDATE SET status = excluded.status",
)
ENTRIES = insert(
    "trading_actionentry",
    {
        "key": "word",
        "step": "word",
        "portfolio_id": "bigint portfolio",
        "symbol": "word",
        "qty": "bigint",
        "cash": "bigint",
        "cost": "bigint",
        "realised": "bigint",
        "seq": "bigint",
    },
    "world_id",
)
ACCOUNT_EVENTS = insert(
    "trading_accountevent",
    {"portfolio_id": "bigint", "seq": "bigint", "command": "bigint", "rows": "encoded", "noticed": "flag"},
)


def beat(world: int, epoch: int, state: str, why: str) -> Statement:
    """The holder of the lease lives; touches no row when somebody else holds it."""
    values = [arrays.bigint(world), arrays.bigint(epoch), state.encode(), why.encode()]
    return Statement(b"beat", BEAT, values)


def fence(world: int, epoch: int) -> Statement:
    """Fails with FENCED_SQLSTATE where another epoch rules; else keeps the lease to the transaction's end."""
    return Statement(b"fence", FENCE, [arrays.bigint(world), arrays.bigint(epoch)])


def transaction(batch: Batch, epoch: int) -> Iterator[Statement]:
    """All that writes the batch; each statement is made when it is asked for, so that the first can leave
    before the last is made."""
    yield BEGIN
    yield from of(batch, epoch)
    yield COMMIT


def of(batch: Batch, epoch: int) -> Iterator[Statement]:
    """Every statement of the transaction between BEGIN and COMMIT, the fence first."""
    world, key = batch.world, batch.world << WORLD_SHIFT
    yield fence(world, epoch)
    if batch.heard:
        page = heard.page_of(batch.heard)
        yield Statement(b"heard", HEARD, [arrays.bigint(world), arrays.bigint(batch.heard[0].seq), page])
    if batch.commands:
        yield COMMANDS.of(zip(*batch.commands, strict=True), epoch)
    if batch.opened:
        yield ACCOUNTS.of((batch.opened, ["portfolio"] * len(batch.opened), batch.opened), world)
    if created := [row for row in batch.orders.values() if row.id in batch.created]:
        yield NEW_ORDERS.of_rows(created, world)
    if changed := [row for row in batch.orders.values() if row.id not in batch.created]:
        yield CHANGED_ORDERS.of_rows(changed)
    if batch.fills:
        yield FILLS.of_caused(batch.fills, key)
    if batch.transfers:
        yield TRANSFERS.of_caused(batch.transfers, key)
    if batch.balances:
        yield from _balances(batch)
    if batch.positions:
        yield POSITIONS.of_rows(batch.positions.values())
    yield from _seldom(batch)
    if batch.account_events:
        yield ACCOUNT_EVENTS.of(zip(*batch.account_events, strict=True))


def _balances(batch: Batch) -> Iterator[Statement]:
    """Those of margin portfolios apart: only they may be less than nothing."""
    plain = [row for row in batch.balances.values() if not row.may_owe]
    if plain:
        yield BALANCES.of_rows(plain)
    if len(plain) < len(batch.balances):
        yield OWED.of_rows([row for row in batch.balances.values() if row.may_owe])


def _seldom(batch: Batch) -> Iterator[Statement]:
    """What an operator or an ex-date does."""
    world = batch.world
    if batch.portfolios:
        yield PORTFOLIOS.of_rows(batch.portfolios.values())
    if batch.halts:
        halted, why = zip(*batch.halts.values(), strict=True)
        yield HALTS.of((list(batch.halts), halted, why), world)._replace(rows=None)
    if batch.actions:
        rows, payloads = zip(*batch.actions.values(), strict=True)
        named = [[getattr(row, name) for row in rows] for name in ("key", "symbol", "status")]
        yield ACTIONS.of((*named, payloads), world)
        if retired := {row.symbol: row.tradable for row in rows if row.tradable is not None}:
            why = ["" if each else RETIRED_WHY for each in retired.values()]
            yield RETIRED.of((list(retired), list(retired.values()), why), world)._replace(rows=None)
    if batch.entries:
        yield ENTRIES.of_caused(batch.entries, world)
