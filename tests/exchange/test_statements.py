"""What is sent to PostgreSQL arrives as it was, and what is not there is noticed."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime

import psycopg
import pytest

from trading.exchange.arrays import KINDS
from trading.exchange.database import connect
from trading.exchange.pipeline import MissingRows, Pipeline
from trading.exchange.tables import Statement, update

pytestmark = pytest.mark.django_db(transaction=True)
BIG = 2**63 - 1
AT_NS = 1_795_314_230_301_346_000
ID = str(uuid.UUID(int=7))

SENT = {
    "bigint": ([1, -1, BIG], [1, -1, BIG]),
    "bigint?": ([1, None, BIG], [1, None, BIG]),
    "int": ([0, -5], [0, -5]),
    "smallint": ([3], [3]),
    "instant": ([AT_NS], [datetime(2026, 11, 22, 2, 23, 50, 301346, UTC)]),
    "instant?": ([AT_NS, 0], [datetime(2026, 11, 22, 2, 23, 50, 301346, UTC), None]),
    "word": (["buy", "卖", ""], ["buy", "卖", ""]),
    "text": (['a "quoted" \\ {text}', "NULL"], ['a "quoted" \\ {text}', "NULL"]),
    "text?": (["x", None], ["x", None]),
    "json": ([{"a": "\\"}, []], [{"a": "\\"}, []]),
    "json?": ([None, {"a": 1}], [None, {"a": 1}]),
    "encoded": ([b'{"a":[1]}'], [{"a": [1]}]),
    "blob": ([b"", b"\0\xff"], [b"", b"\0\xff"]),
    "uuid": ([ID], [uuid.UUID(ID)]),
    "flag": ([True, False], [True, False]),
    "decimal": ([10**30, -1], [10**30, -1]),
    "key": ([5], [5 | 1 << 40]),
    "key?": ([5, 0], [5 | 1 << 40, None]),
}


def test_every_kind_of_column_is_tried():
    assert set(SENT) == set(KINDS)


@pytest.fixture
def connection():
    with connect("writer") as connection:
        yield connection


@pytest.mark.parametrize("kind", SENT)
def test_a_column_arrives_as_it_was(connection, kind):
    values, expected = SENT[kind]
    array, stored, encode = KINDS[kind]
    sql = f"SELECT {stored.format('r')} FROM unnest(%s::{array}) AS u(r)"
    if "$1" in sql:
        sql = sql.replace("$1::bigint", str(1 << 40))
    cursor = connection.execute(sql.replace("%s", "%b"), [_Binary(encode(values))])
    assert [row[0] for row in cursor] == expected


class _Binary(bytes):
    """Bytes that are an array already: sent as they are, without a type."""


class _AsItIs(psycopg.adapt.Dumper):
    format = psycopg.pq.Format.BINARY
    oid = 0

    def dump(self, value):
        return bytes(value)


psycopg.adapters.register_dumper(_Binary, _AsItIs)


def test_a_change_of_an_order_that_is_not_there_is_noticed(connection):
    row = update("trading_portfolio", {"id": "bigint", "status": "word"}, key="id").of(([-5], ["active"]))
    with pytest.raises(MissingRows, match="fewer than 1 rows"):
        asyncio.run(Pipeline(connection).run([row]))
    assert connection.execute("SELECT 1").fetchone() == (1,)  # the connection goes on


def test_a_batch_with_a_row_that_is_not_there_is_not_committed(connection):
    """COMMIT is on its way already when the answer comes: the server itself must refuse."""
    missing = update("trading_portfolio", {"id": "bigint", "status": "word"}, key="id").of(([-5], ["active"]))
    made = Statement(b"made", b"CREATE TEMP TABLE made_in_vain (x int)", [])
    begin, commit = Statement(b"begin", b"BEGIN", []), Statement(b"commit", b"COMMIT", [])
    with pytest.raises(MissingRows):
        asyncio.run(Pipeline(connection).run([begin, made, missing, commit]))
    connection.rollback()
    assert connection.execute("SELECT to_regclass('made_in_vain')").fetchone() == (None,)


def test_the_first_statement_that_fails_says_why_and_the_rest_is_not_done(connection):
    good, bad = Statement(b"good", b"SELECT 1", []), Statement(b"bad", b"SELECT 1/0", [])
    with pytest.raises(psycopg.errors.DivisionByZero):
        asyncio.run(Pipeline(connection).run([good, bad, good]))
    assert len(asyncio.run(Pipeline(connection).run([Statement(b"again", b"SELECT 2", [])]))) == 1
