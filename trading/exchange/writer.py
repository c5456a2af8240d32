"""The one hand that writes: a dedicated connection that commits batch after batch, on the event loop.

Whatever happens to a COMMIT, the answer is one of three: committed, not committed, or unknown; it
is found by waiting out our own transaction under a new epoch, never guessed.
"""

from __future__ import annotations

import asyncio
import time
from enum import Enum
from typing import Any

import psycopg
import structlog

from simgame.kernel import clock, failpoints
from simgame.kernel.ids import WORLD_SHIFT
from trading.exchange import statements
from trading.exchange.batch import Batch
from trading.exchange.database import connect
from trading.exchange.idempotency import Key
from trading.exchange.lease import FENCED_SQLSTATE, Connection, Fenced, Lease
from trading.exchange.pipeline import Pipeline

RESOLVE_S = 20.0  # a restarting PostgreSQL is back by then, or the outcome stays unknown
RESOLVE_PAUSE_S = 0.1
log = structlog.get_logger(__name__)


class Fate(Enum):
    COMMITTED = "committed"
    LOST = "lost"  # certainly not committed; memory is ahead of the database
    UNKNOWN = "unknown"


class Reader:
    """Looks keys up while the writer writes. Blocking, one thread at a time."""

    def __init__(self, connection: Connection):
        self.connection = connection

    def look_up(self, keys: list[Key]) -> dict[Key, tuple[bytes, dict[str, Any]]]:
        """What the journal holds under these keys: fingerprint and stored answer."""
        portfolio, kind, client_id = zip(*keys, strict=True)
        values = [list(portfolio), list(kind), list(client_id)]
        rows = self.connection.execute(statements.LOOK_UP, values, prepare=True).fetchall()
        return {(row[0], row[1], row[2]): (bytes(row[3]), row[4]) for row in rows}

    def keys(self, after: int, upto: int) -> list[Key]:
        """The keys of the commands with these ids."""
        return self.connection.execute(statements.KEYS, (after, upto), prepare=True).fetchall()

    def close(self) -> None:
        self.connection.close()


class Writer:
    """One batch or beat at a time."""

    def __init__(self, lease: Lease, connection: Connection):
        self.lease = lease
        self.connection = connection
        self._pipeline = Pipeline(connection)
        self._one_at_a_time = asyncio.Lock()

    async def write(self, batch: Batch) -> Fate:
        """One transaction. Raises Fenced when the world was taken over, psycopg.Error when the
        database refuses the rows (then nothing of the batch was written)."""
        failpoints.passing(failpoints.FP1_BEFORE_BEGIN)
        async with self._one_at_a_time:
            try:
                await self._transact(batch)
                failpoints.passing(failpoints.FP4_COMMIT_ANSWER)
            except psycopg.errors.DatabaseError as error:
                if error.sqlstate == FENCED_SQLSTATE:
                    raise Fenced(str(error)) from error
                if not (self.connection.closed or self.connection.broken or _connection_died(error)):
                    await asyncio.to_thread(self._roll_back)
                    raise
                return await asyncio.to_thread(self._resolve, batch, error)
            except failpoints.FailpointHit as error:
                return await asyncio.to_thread(self._resolve, batch, error)
        return Fate.COMMITTED

    async def beat(self, state: str, why: str = "") -> None:
        """Say that we live. Raises Fenced. Whoever stops waiting for it does not stop it."""
        await asyncio.shield(self._beat(state, why))

    def close(self) -> None:
        self.connection.close()

    async def _beat(self, state: str, why: str) -> None:
        async with self._one_at_a_time:
            await asyncio.to_thread(self.lease.beat, self.connection, state, why)

    async def _transact(self, batch: Batch) -> None:
        whole = [statements.BEGIN, *statements.of(batch, self.lease.epoch), statements.COMMIT]
        if failpoints.ARMED:
            await self._pipeline.run(whole[:3])
            failpoints.passing(failpoints.FP2_BETWEEN_INSERTS)
            await self._pipeline.run(whole[3:-1])
            failpoints.passing(failpoints.FP3_BEFORE_COMMIT)
            for job in batch.jobs:
                failpoints.passing(job)
            whole = whole[-1:]
        *_, done = await self._pipeline.run(whole)
        if done.command_status != b"COMMIT":
            raise psycopg.errors.TransactionRollbackError(f"COMMIT answered {done.command_status!r}")

    def _roll_back(self) -> None:
        if self.connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            self.connection.rollback()

    def _resolve(self, batch: Batch, why: Exception) -> Fate:
        """Our connection broke somewhere around COMMIT. Ask a new one what became of it."""
        log.warning("commit_answer_lost", world=batch.world, last_seq=batch.last_seq, why=str(why))
        self.connection.close()
        deadline = clock.monotonic_s() + RESOLVE_S
        while clock.monotonic_s() < deadline:
            try:
                self.connection = connect("writer")
                self._pipeline = Pipeline(self.connection)
                # Waits until the broken connection's transaction has ended: it locks the lease row.
                written_under = self.lease.epoch
                self.lease.reacquire(self.connection)
                return self._fate_of(batch, written_under)
            except psycopg.OperationalError as error:
                log.info("database_not_back", world=batch.world, why=str(error))
                time.sleep(RESOLVE_PAUSE_S)
        return Fate.UNKNOWN

    def _fate_of(self, batch: Batch, epoch: int) -> Fate:
        last = batch.world << WORLD_SHIFT | batch.last_seq
        found = self.connection.execute(
            "SELECT 1 FROM trading_command WHERE id = %s AND epoch = %s", (last, epoch)
        ).fetchone()
        fate = Fate.COMMITTED if found else Fate.LOST
        log.warning("commit_resolved", world=batch.world, last_seq=batch.last_seq, fate=fate.value)
        return fate


def _connection_died(error: psycopg.Error) -> bool:
    """Class 57P: the server was told to end us, or is going down."""
    return isinstance(error, psycopg.OperationalError) and (error.sqlstate or "57P").startswith("57P")
