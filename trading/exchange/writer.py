"""The one hand that writes: a dedicated connection that commits batch after batch, on the event loop.

Whatever happens to a COMMIT, the answer is one of three: committed, not committed, or unknown; it
is found by waiting out our own transaction under a new epoch, never guessed.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext
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
from trading.exchange.pipeline import Pipeline, Result
from trading.exchange.tables import Statement

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
    """Batches leave in the order in which they are given; the next may leave before the last has answered."""

    def __init__(self, lease: Lease, connection: Connection):
        self.lease = lease
        self.connection = connection
        self._pipeline = Pipeline(connection)
        self._sent_on = self._pipeline  # of the batch that left last
        self._finding_out = asyncio.Lock()
        self._one_at_a_time = asyncio.Lock()  # while failpoints take batches apart

    @property
    def may_follow(self) -> bool:
        """Whether a batch may leave behind those on their way: when one of them is in doubt, none may."""
        return self._sent_on is self._pipeline and not self._finding_out.locked()

    async def write(self, batch: Batch) -> Fate:
        """One transaction. Raises Fenced when the world was taken over, psycopg.Error when the
        database refuses the rows, or those of a batch before (then nothing of this one was written)."""
        failpoints.passing(failpoints.FP1_BEFORE_BEGIN)
        pipeline = self._sent_on = self._pipeline
        epoch = self.lease.epoch
        try:
            await self._transact(pipeline, batch, epoch)
            failpoints.passing(failpoints.FP4_COMMIT_ANSWER)
        except psycopg.errors.DatabaseError as error:
            if error.sqlstate == FENCED_SQLSTATE:
                raise Fenced(str(error)) from error
            if not _connection_died(error):
                raise
            return await self._find_out(pipeline, batch, epoch, error)
        except failpoints.FailpointHit as error:
            return await self._find_out(pipeline, batch, epoch, error)
        return Fate.COMMITTED

    async def beat(self, state: str, why: str = "") -> None:
        """Say that we live. Raises Fenced. Whoever stops waiting for it does not stop it."""
        await asyncio.shield(self._beat(state, why))

    def close(self) -> None:
        self.connection.close()

    async def _beat(self, state: str, why: str) -> None:
        async with self._finding_out, self._one_at_a_time if failpoints.ARMED else nullcontext():
            beat = statements.beat(self.lease.world, self.lease.epoch, state, why)
            _, touched, _ = await self._pipeline.run([statements.BEGIN, beat, statements.COMMIT])
        if touched.command_tuples != 1:
            raise Fenced(f"the lease of world {self.lease.world} left epoch {self.lease.epoch}")

    async def _transact(self, pipeline: Pipeline, batch: Batch, epoch: int) -> None:
        whole = statements.transaction(batch, epoch)
        if failpoints.ARMED:
            done = await self._piecemeal(pipeline, batch, list(whole))
        else:
            *_, done = await pipeline.run(whole)
        if done.command_status != b"COMMIT":
            raise psycopg.errors.TransactionRollbackError(f"COMMIT answered {done.command_status!r}")

    async def _piecemeal(self, pipeline: Pipeline, batch: Batch, whole: list[Statement]) -> Result:
        async with self._one_at_a_time:
            await pipeline.run(whole[:3])
            failpoints.passing(failpoints.FP2_BETWEEN_INSERTS)
            await pipeline.run(whole[3:-1])
            failpoints.passing(failpoints.FP3_BEFORE_COMMIT)
            for job in batch.jobs:
                failpoints.passing(job)
            return (await pipeline.run(whole[-1:]))[0]

    async def _find_out(self, pipeline: Pipeline, batch: Batch, epoch: int, why: Exception) -> Fate:
        """Our connection broke somewhere around COMMIT. Ask a new one what became of it; of several batches
        the first gets the new connection, under which the others ask as well."""
        async with self._finding_out:
            return await asyncio.to_thread(self._resolve, pipeline, batch, epoch, why)

    def _resolve(self, pipeline: Pipeline, batch: Batch, epoch: int, why: Exception) -> Fate:
        log.warning("commit_answer_lost", world=batch.world, last_seq=batch.last_seq, why=str(why))
        deadline = clock.monotonic_s() + RESOLVE_S
        while clock.monotonic_s() < deadline:
            try:
                if self._pipeline is pipeline:
                    self._connect_anew()
                return self._fate_of(batch, epoch)
            except psycopg.OperationalError as error:
                log.info("database_not_back", world=batch.world, why=str(error))
                time.sleep(RESOLVE_PAUSE_S)
        return Fate.UNKNOWN

    def _connect_anew(self) -> None:
        """Waits until the broken connection's transaction has ended (it locks the lease row), and takes a new
        epoch: what the old connection has not begun will never be."""
        self.connection.close()
        self.connection = connect("writer")
        self.lease.reacquire(self.connection)
        self._pipeline = Pipeline(self.connection)

    def _fate_of(self, batch: Batch, epoch: int) -> Fate:
        last = batch.world << WORLD_SHIFT | batch.last_seq
        with connect("asking") as asking:  # the writer's own may be in use again
            asked = "SELECT 1 FROM trading_command WHERE id = %s AND epoch = %s"
            found = asking.execute(asked, (last, epoch)).fetchone()
        fate = Fate.COMMITTED if found else Fate.LOST
        log.warning("commit_resolved", world=batch.world, last_seq=batch.last_seq, fate=fate.value)
        return fate


def _connection_died(error: psycopg.Error) -> bool:
    """Class 57P: the server was told to end us, or is going down."""
    return isinstance(error, psycopg.OperationalError) and (error.sqlstate or "57P").startswith("57P")
