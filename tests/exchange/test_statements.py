"""What is sent to PostgreSQL arrives as it was, and what is not there is noticed."""

from __future__ import annotations

import asyncio
import itertools
import select
import socket
import threading
import uuid
from contextlib import closing
from datetime import UTC, datetime

import psycopg
import pytest
import uvloop
from django.db import connections

from tests.exchange import planted
from tests.exchange.street import wait_for
from trading.exchange import statements
from trading.exchange.arrays import KINDS
from trading.exchange.batch import Batch
from trading.exchange.database import connect
from trading.exchange.lease import Lease
from trading.exchange.pipeline import Aborted, MissingRows, Pipeline
from trading.exchange.tables import Statement, insert, update
from trading.exchange.writer import Fate, Writer

pytestmark = pytest.mark.django_db(transaction=True)
BIG = 2**63 - 1
AT_NS = 1_795_314_230_301_346_000
ID = str(uuid.UUID(int=7))
ROWS = 12
COLUMN_TYPES = {"jsonb": "jsonb", "jsonb?": "jsonb", "encoded-jsonb": "jsonb", "decimal": "numeric"}

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
    "json": ([{"a": "\\"}, []], ['{"a":"\\\\"}', "[]"]),
    "jsonb": ([{"a": "\\"}, []], [{"a": "\\"}, []]),
    "jsonb?": ([None, {"a": 1}], [None, {"a": 1}]),
    "encoded-jsonb": ([b'{"a":[1]}'], [{"a": [1]}]),
    "encoded": ([b'[1,"\\u0000"]', "卖".encode()], ['[1,"\\u0000"]', "卖"]),
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
    connection = connect("writer")
    yield connection
    connection.close()


@pytest.mark.parametrize("kind", SENT)
def test_a_column_arrives_as_it_was(connection, kind):
    values, expected = SENT[kind]
    array, stored, encode = KINDS[kind]
    sql = f"SELECT {stored.format('r')} FROM unnest(%s::{array}) AS u(r)"
    if "$1" in sql:
        sql = sql.replace("$1::bigint", str(1 << 40))
    cursor = connection.execute(sql.replace("%s", "%b"), [_Binary(encode(values))])
    assert [row[0] for row in cursor] == expected


def test_a_row_of_every_kind_arrives_as_it_was(connection):
    """Numbers are read at their row's place, texts pass by: they must meet in the same row."""
    columns = {f"of_{n}": kind for n, kind in enumerate(SENT)}
    values = [list(itertools.islice(itertools.cycle(sent), ROWS)) for sent, _ in SENT.values()]
    expected = [list(itertools.islice(itertools.cycle(came), ROWS)) for _, came in SENT.values()]
    types = [COLUMN_TYPES.get(kind) or KINDS[kind][0].removesuffix("[]") for kind in SENT]
    made = ", ".join(f"{column} {type_}" for column, type_ in zip(columns, types, strict=True))
    connection.execute(f"CREATE TEMPORARY TABLE every_kind (n serial, {made})")
    statement = insert("every_kind", columns, "").of(values, 1 << 40)
    asyncio.run(Pipeline(connection).run([statement]))
    connection.pgconn.exit_pipeline_mode()
    found = connection.execute(f"SELECT {', '.join(columns)} FROM every_kind ORDER BY n").fetchall()
    assert found == list(zip(*expected, strict=True))


class _Binary(bytes):
    """Bytes that are an array already: sent as they are, without a type."""


class _AsItIs(psycopg.adapt.Dumper):
    format = psycopg.pq.Format.BINARY
    oid = 0

    def dump(self, value):
        return bytes(value)


psycopg.adapters.register_dumper(_Binary, _AsItIs)


BEGIN, COMMIT = Statement(b"begin", b"BEGIN", []), Statement(b"commit", b"COMMIT", [])
NOBODY = update("trading_portfolio", {"id": "bigint", "status": "word"}, key="id").of(([-5], ["active"]))


def heard(seq: int) -> Statement:
    """A row that is written."""
    sql = f"INSERT INTO trading_heard (world_id, seq, page) VALUES (1, {seq}, '')"
    return Statement(b"heard%d" % seq, sql.encode(), [])


def written() -> list[int]:
    with connect("asking") as asking:
        return [row[0] for row in asking.execute("SELECT seq FROM trading_heard ORDER BY seq")]


async def outcomes(connection, *runs):
    """All leave at once; what became of each."""
    pipeline = Pipeline(connection)
    return await asyncio.gather(*(pipeline.run(run) for run in runs), return_exceptions=True)


def test_runs_follow_one_another_without_waiting(connection):
    runs = [[BEGIN, heard(n), COMMIT] for n in (1, 2, 3)]
    came = asyncio.run(outcomes(connection, *runs))
    assert [answers[-1].command_status for answers in came] == [b"COMMIT"] * 3
    assert written() == [1, 2, 3]


def test_a_batch_with_a_row_that_is_not_there_is_not_committed_and_nothing_behind_it_is_done(connection):
    """COMMIT, and the next batch, are on their way already when the answer comes."""
    runs = [BEGIN, heard(1), COMMIT], [BEGIN, heard(2), NOBODY, COMMIT], [BEGIN, heard(3), COMMIT]
    first, second, third = asyncio.run(outcomes(connection, *runs))
    assert first[-1].command_status == b"COMMIT"
    assert isinstance(second, MissingRows)
    assert "fewer than 1 rows" in str(second)
    assert isinstance(third, Aborted)
    assert written() == [1]


def large(seq: int) -> Statement:
    """A row larger than what libpq keeps before it sends: what was before it is on its way then."""
    sql = b"INSERT INTO trading_heard (world_id, seq, page) VALUES (1, %d, $1::bytea)" % seq
    return Statement(b"large%d" % seq, sql, [bytes(100_000)])


def test_the_server_begins_while_the_rest_of_a_batch_is_made(connection, monkeypatch):
    def working():
        with connect("asking") as asking:
            asked = "SELECT backend_xid FROM pg_stat_activity WHERE pid = %s"
            return asking.execute(asked, [connection.info.backend_pid]).fetchone()[0]

    def slowly_made(_batch, _epoch):
        yield from (heard(1), large(2))
        wait_for(working, "the first row being written")

    monkeypatch.setattr(statements, "of", slowly_made)
    assert asyncio.run(Writer(Lease(1, 1), connection).write(Batch(1))) is Fate.COMMITTED
    assert written() == [1, 2]


def test_a_batch_that_cannot_be_made_to_its_end_is_not_written_and_nothing_follows_it(connection):
    """Half of it was there already: who came after it would end it with a COMMIT of their own."""

    def half():
        yield from (BEGIN, heard(2), large(3))
        raise OverflowError("too large for a bigint")

    runs = [BEGIN, heard(1), COMMIT], half(), [BEGIN, heard(4), COMMIT]
    first, second, third = asyncio.run(outcomes(connection, *runs))
    assert isinstance(second, OverflowError)
    assert isinstance(third, psycopg.OperationalError)
    # The one before may have been committed or not: who sent it hears that the connection broke, and asks.
    assert isinstance(first, psycopg.OperationalError)
    assert written() in ([], [1])


def test_a_run_of_no_statements_waits_for_no_answer(connection):
    """A failpoint parts a small batch so."""
    whole = [BEGIN, heard(1), COMMIT]
    first, none, last = asyncio.run(outcomes(connection, whole[:2], whole[2:-1], whole[-1:]))
    assert (len(first), none, last[0].command_status) == (2, [], b"COMMIT")
    assert written() == [1]


def test_after_a_failure_nothing_is_done_any_more_and_nobody_waits_in_vain(connection):
    async def one_after_another():
        pipeline = Pipeline(connection)
        with pytest.raises(psycopg.errors.DivisionByZero):
            await pipeline.run([heard(1), Statement(b"bad", b"SELECT 1/0", [])])
        with pytest.raises(Aborted):
            await asyncio.wait_for(pipeline.run([BEGIN, heard(2), COMMIT]), 30)

    asyncio.run(one_after_another())
    connection.close()
    assert written() == []


def test_when_the_connection_breaks_everybody_who_waits_hears_it(connection):
    async def killed():
        pipeline = Pipeline(connection)
        sleeps = Statement(b"sleeps", b"SELECT pg_sleep(60)", [])
        runs = [asyncio.ensure_future(pipeline.run([each])) for each in (sleeps, heard(1), heard(2))]
        await asyncio.sleep(0)
        with planted.superuser() as owner:
            owner.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
        return await asyncio.gather(*runs, return_exceptions=True)

    assert all(isinstance(each, psycopg.OperationalError | Aborted) for each in asyncio.run(killed()))
    assert written() == []


LAST_WORDS = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to"


def relay_that_dies(listening: socket.socket, server: str) -> None:
    """As a backend that is killed while it says so: half a message, and what it was sent last unread."""
    asker, real = listening.accept()[0], socket.socket(socket.AF_UNIX)
    real.connect(server)
    with asker, real:
        while True:
            for ready in select.select([asker, real], [], [])[0]:
                if ready is asker and b"at the last" in asker.recv(65_536, socket.MSG_PEEK):
                    asker.sendall(b"E" + (2 * len(LAST_WORDS)).to_bytes(4) + LAST_WORDS)
                    return
                (real if ready is asker else asker).sendall(ready.recv(65_536))


def test_last_words_and_a_broken_socket_at_once_are_both_heard(tmp_path, monkeypatch):
    """On the loop that the exchange runs on: a server's end must never look like a slow answer."""
    known = connections["default"].get_connection_params()
    port = known.get("port") or 5432
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / f".s.PGSQL.{port}"))
    listening.listen()
    dying = threading.Thread(target=relay_that_dies, args=(listening, f"{known['host']}/.s.PGSQL.{port}"))
    dying.start()
    monkeypatch.setattr(
        connections["default"], "get_connection_params", lambda: known | {"host": str(tmp_path)}
    )
    with closing(listening), closing(connect("writer")) as connection:
        run = Pipeline(connection).run([Statement(b"last", b"SELECT 'at the last'", [])])
        with (
            pytest.raises(psycopg.OperationalError),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop,
        ):
            loop.run(asyncio.wait_for(run, 30))
    dying.join()
