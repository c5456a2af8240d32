"""The SQL of one batch: one statement per table, its rows as arrays. Pure: text in, text out.

Arrays travel as PostgreSQL's own literals (`{1,2,3}`), so that each statement keeps one prepared
plan whatever the numbers are, and the client spends its time in C.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from simgame.kernel.ids import WORLD_SHIFT
from trading.exchange import heard
from trading.exchange.batch import Batch

Statement = tuple[str, tuple[Any, ...]]
encode_json = msgspec.json.Encoder().encode

INSTANT = "'epoch'::timestamptz + {} / 1000 * interval '1 microsecond'"  # nanoseconds → timestamptz

LOOK_UP = """
SELECT c.portfolio_id, c.kind, c.client_id, c.fingerprint, c.result
FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS k(portfolio, kind, client_id)
JOIN trading_command c ON c.portfolio_id = k.portfolio AND c.kind = k.kind AND c.client_id = k.client_id"""

FENCE = "SELECT assert_epoch(%s, %s)"

COMMANDS = f"""
INSERT INTO trading_command (id, portfolio_id, kind, client_id, fingerprint, payload, result, tick_seq,
    at, epoch)
SELECT id, portfolio, kind, client_id, decode(mark, 'hex'), payload::jsonb, result::jsonb, tick_seq,
       {INSTANT.format("at")}, %s
FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::bigint[], %s::bigint[])
  AS r(id, portfolio, kind, client_id, mark, payload, result, tick_seq, at)"""

ORDERS = f"""
INSERT INTO trading_order (id, portfolio_id, symbol, client_order_id, side, type, time_in_force, qty,
    limit_price,
    status, reason, filled_qty, filled_value, filled_cash, fees, reserved_cash, reserved_qty,
    queue_ahead, priority,
    version, market_day, submitted_at, updated_at, closed_at, receipt, terms, world_id)
SELECT id, portfolio, symbol, client_order_id, side, type, tif, qty, limit_price, status, reason, filled_qty,
    filled_value, filled_cash, fees, reserved_cash, reserved_qty, queue_ahead, priority, version, market_day,
    {INSTANT.format("submitted")}, {INSTANT.format("updated")}, {INSTANT.format("nullif(closed, 0)")},
    receipt::jsonb, terms::jsonb, %s
FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::bigint[],
    %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::numeric[], %s::bigint[], %s::bigint[],
    %s::bigint[],
    %s::bigint[], %s::bigint[], %s::bigint[], %s::int[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[],
    %s::text[], %s::text[])
  AS r(id, portfolio, symbol, client_order_id, side, type, tif, qty, limit_price, status, reason, filled_qty,
    filled_value, filled_cash, fees, reserved_cash, reserved_qty, queue_ahead, priority, version, market_day,
    submitted, updated, closed, receipt, terms)
ON CONFLICT (id) DO UPDATE SET qty = excluded.qty, limit_price = excluded.limit_price,
    time_in_force = excluded.time_in_force, status = excluded.status, reason = excluded.reason,
    filled_qty = excluded.filled_qty, filled_value = excluded.filled_value, filled_cash =
    excluded.filled_cash,
    fees = excluded.fees, reserved_cash = excluded.reserved_cash, reserved_qty = excluded.reserved_qty,
    queue_ahead = excluded.queue_ahead, priority = excluded.priority, version = excluded.version,
    updated_at = excluded.updated_at, closed_at = excluded.closed_at, receipt = excluded.receipt,
    terms = excluded.terms"""

FILLS = f"""
INSERT INTO trading_fill (id, match, seq, order_id, portfolio_id, symbol, side, price, qty, cash, fees,
    fee, against,
    market_day, at, receipt)
SELECT id, match, seq, order_id, portfolio, symbol, side, price, qty, cash, fees::jsonb, fee, against,
    market_day,
    {INSTANT.format("at")}, receipt::jsonb
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::uuid[], %s::bigint[], %s::text[], %s::text[],
    %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::bigint[], %s::text[], %s::int[], %s::bigint[],
    %s::text[])
  AS r(id, match, seq, order_id, portfolio, symbol, side, price, qty, cash, fees, fee, against,
  market_day, at,
    receipt)"""

TRANSFERS = """
INSERT INTO trading_transfer (id, seq, code, debit_account, credit_account, asset, amount, fill_id, reverses)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::smallint[], %s::bigint[], %s::bigint[], %s::text[],
    %s::bigint[], %s::bigint[], %s::bigint[])"""

BALANCES = """
INSERT INTO trading_balance (account, asset, posted, reserved)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bigint[])
ON CONFLICT (account, asset) DO UPDATE SET posted = excluded.posted, reserved = excluded.reserved"""

POSITIONS = """
INSERT INTO trading_position (portfolio_id, symbol, qty, bought_today, market_day, cost, realised,
    day_start_qty,
    day_cash)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::int[], %s::bigint[],
    %s::bigint[],
    %s::bigint[], %s::bigint[])
ON CONFLICT (portfolio_id, symbol) DO UPDATE SET qty = excluded.qty, bought_today = excluded.bought_today,
    market_day = excluded.market_day, cost = excluded.cost, realised = excluded.realised,
    day_start_qty = excluded.day_start_qty, day_cash = excluded.day_cash"""

ACCOUNTS = """
INSERT INTO trading_ledgeraccount (id, world_id, name, portfolio_id)
SELECT id, %s, 'portfolio', id FROM unnest(%s::bigint[]) AS r(id)"""

PORTFOLIOS = """
UPDATE trading_portfolio p SET status = r.status FROM unnest(%s::bigint[], %s::text[]) AS r(id, status)
WHERE p.id = r.id"""

HALTS = """
UPDATE market_instrument i SET halted = r.halted FROM unnest(%s::text[], %s::bool[]) AS r(symbol, halted)
WHERE i.world_id = %s AND i.symbol = r.symbol"""

HEARD = "INSERT INTO trading_heard (world_id, seq, page) VALUES (%s, %s, %b)"

ACCOUNT_EVENTS = """
INSERT INTO trading_accountevent (portfolio_id, seq, command, body)
SELECT portfolio, seq, command, body::jsonb
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[]) AS r(portfolio, seq, command, body)"""


def numbers(values: Iterable[int | None]) -> str:
    """An array literal of whole numbers."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def texts(values: Iterable[str | None]) -> str:
    """An array literal of any text."""
    return "{" + ",".join([_quoted(value) for value in values]) + "}"


def words(values: Iterable[str]) -> str:
    """An array literal of texts that need no quotes: ids, statuses, sides."""
    return "{" + ",".join(values) + "}"


def jsons(values: Iterable[bytes]) -> str:
    return texts([value.decode() for value in values])


def _quoted(value: str | None) -> str:
    if value is None:
        return "NULL"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def of(batch: Batch, epoch: int) -> Iterator[Statement]:
    """Every statement of the transaction between BEGIN and COMMIT, the fence first."""
    yield FENCE, (batch.world, epoch)
    if batch.heard:
        yield HEARD, (batch.world, batch.heard[0].seq, heard.page_of(batch.heard))
    if batch.commands:
        yield _commands(batch, epoch)
    if batch.opened:
        yield ACCOUNTS, (batch.world, numbers(batch.opened))
    if batch.orders:
        yield _orders(batch)
    if batch.fills:
        yield _fills(batch)
    if batch.transfers:
        yield _transfers(batch)
    if batch.balances:
        yield _balances(batch)
    if batch.positions:
        yield _positions(batch)
    if batch.portfolios:
        yield PORTFOLIOS, (numbers(batch.portfolios), texts(batch.portfolios.values()))
    if batch.halts:
        flags = "{" + ",".join("true" if halted else "false" for halted in batch.halts.values()) + "}"
        yield HALTS, (texts(batch.halts), flags, batch.world)
    if batch.account_events:
        portfolio, seq, command, body = zip(*batch.account_events, strict=True)
        yield ACCOUNT_EVENTS, (numbers(portfolio), numbers(seq), numbers(command), jsons(body))


def _commands(batch: Batch, epoch: int) -> Statement:
    ids, portfolio, kind, client, mark, payload, result, tick, at = zip(*batch.commands, strict=True)
    values = (numbers(ids), numbers(portfolio), words(kind), texts(client), texts(mark), jsons(payload))
    return COMMANDS, (epoch, *values, jsons(result), numbers(tick), numbers(at))


def _orders(batch: Batch) -> Statement:
    columns = zip(*map(msgspec.structs.astuple, batch.orders.values()), strict=True)
    _, ids, portfolio, symbol, client, side, kind, tif, qty, price, status, reason, *rest, receipt, terms = (
        columns
    )
    return ORDERS, (
        batch.world,
        words(ids),
        numbers(portfolio),
        texts(symbol),
        texts(client),
        *map(words, (side, kind, tif)),
        numbers(qty),
        numbers(price),
        words(status),
        texts(reason),
        *map(numbers, rest),
        jsons(map(encode_json, receipt)),
        texts(None if each is None else encode_json(each).decode() for each in terms),
    )


def _fills(batch: Batch) -> Statement:
    key = batch.world << WORLD_SHIFT
    rows = [fill for _, fill in batch.fills]
    return FILLS, (
        numbers([key | row.n for row in rows]),
        numbers([key | row.match for row in rows]),
        numbers([seq for seq, _ in batch.fills]),
        words([row.order_id for row in rows]),
        numbers([row.portfolio for row in rows]),
        texts([row.symbol for row in rows]),
        words([row.side for row in rows]),
        numbers([row.price for row in rows]),
        numbers([row.qty for row in rows]),
        numbers([row.cash for row in rows]),
        jsons([encode_json(row.fees) for row in rows]),
        numbers([row.fee for row in rows]),
        words([row.against for row in rows]),
        numbers([row.market_day for row in rows]),
        numbers([row.at_ns for row in rows]),
        jsons([encode_json(row.receipt) for row in rows]),
    )


def _transfers(batch: Batch) -> Statement:
    key = batch.world << WORLD_SHIFT
    rows = [transfer for _, transfer in batch.transfers]
    return TRANSFERS, (
        numbers([key | row.n for row in rows]),
        numbers([seq for seq, _ in batch.transfers]),
        numbers([row.code for row in rows]),
        numbers([row.debit for row in rows]),
        numbers([row.credit for row in rows]),
        texts([row.asset for row in rows]),
        numbers([row.amount for row in rows]),
        numbers([key | row.fill if row.fill else None for row in rows]),
        numbers([key | row.reverses if row.reverses else None for row in rows]),
    )


def _balances(batch: Batch) -> Statement:
    account, asset, posted, reserved = zip(
        *[(row.account, row.asset, row.posted, row.reserved) for row in batch.balances.values()], strict=True
    )
    return BALANCES, (numbers(account), texts(asset), numbers(posted), numbers(reserved))


def _positions(batch: Batch) -> Statement:
    rows = batch.positions.values()
    names = ("qty", "bought_today", "market_day", "cost", "realised", "day_start_qty", "day_cash")
    return POSITIONS, (
        numbers([row.portfolio for row in rows]),
        texts([row.symbol for row in rows]),
        *(numbers([getattr(row, name) for row in rows]) for name in names),
    )
