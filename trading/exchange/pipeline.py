"""Statements to PostgreSQL and back on the event loop: those of a run leave one behind the other.

This is libpq's pipeline mode without a thread: however many there are, one wait. Statements are prepared
where they are first used; parameters are binary.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import pq

from trading.exchange.tables import MISSING, Statement

WRITE_MORE = 1  # PQflush: the socket is full
Result = pq.abc.PGresult


class MissingRows(psycopg.DataError):
    """A statement touched fewer rows than it was given: memory and tables differ."""


class Aborted(psycopg.errors.InFailedSqlTransaction):
    """Something that was sent before failed: nothing of this was done."""


class Run:
    """Some statements on their way: what they are, what has come back."""

    def __init__(self, done: asyncio.Future[None]):
        self.done = done
        self.awaited: list[Statement | None] = []  # None: the answer to a preparation
        self.results: list[Result] = []

    @property
    def complete(self) -> bool:
        return len(self.results) == len(self.awaited)

    def checked(self) -> list[Result]:
        """The results of the statements. Raises psycopg.Error for the first one that failed."""
        answers: list[Result] = []
        for statement, result in zip(self.awaited, self.results, strict=True):
            if result.status == pq.ExecStatus.PIPELINE_ABORTED:
                raise Aborted("what was sent before this failed")
            if result.status == pq.ExecStatus.FATAL_ERROR:
                error = psycopg.errors.error_from_result(result)
                if statement is not None and statement.exact and error.sqlstate == MISSING:
                    raise MissingRows(f"{statement.name.decode()} touched fewer than {statement.rows} rows")
                raise error
            if statement is None:
                continue
            counted = statement.rows is not None and not statement.exact
            if counted and result.command_tuples != statement.rows:
                touched = f"{result.command_tuples} of {statement.rows} rows"
                raise MissingRows(f"{statement.name.decode()} touched {touched}")
            answers.append(result)
        return answers


class Pipeline:
    """On top of a connection that nobody else uses.

    A run may be sent while others are on their way: the server does one after another. There is never a
    sync: from the first failure on the server does nothing any more, so what was sent behind a batch
    that failed is certainly not done, and the connection is of no more use.
    """

    def __init__(self, connection: psycopg.Connection[Any]):
        self._wire = connection.pgconn
        self._prepared: set[bytes] = set()
        self._runs: deque[Run] = deque()
        self._ended = True  # the answer before was ended by its None

    async def run(self, statements: Iterable[Statement]) -> list[Result]:
        """The result of each. Raises psycopg.Error for the first one that failed, Aborted for what came
        behind it, and psycopg.OperationalError when the connection broke.

        Each leaves as soon as it is made, and the server begins. When one cannot be made, the connection is
        closed: nothing may follow half a transaction.
        """
        loop, wire, socket = asyncio.get_running_loop(), self._wire, self._wire.socket
        if wire.pipeline_status == pq.PipelineStatus.OFF:
            wire.enter_pipeline_mode()
        run = Run(loop.create_future())
        try:
            for statement in statements:
                self._send(statement, run)
        except Exception as error:
            self._fail(loop, socket, psycopg.OperationalError(f"closed, not all could be sent: {error}"))
            wire.finish()
            raise
        if not run.awaited:  # nothing that an answer could come to
            return []
        wire.send_flush_request()
        if not self._runs:
            loop.add_reader(socket, self._receive, loop, socket)
        self._runs.append(run)
        self._send_more(loop, socket)
        if wire.pipeline_status == pq.PipelineStatus.ABORTED:  # the server has nothing more to say
            loop.call_soon(self._receive, loop, socket)
        await run.done
        return run.checked()

    def _send(self, statement: Statement, run: Run) -> None:
        if statement.name not in self._prepared:
            self._wire.send_prepare(statement.name, statement.sql)
            self._prepared.add(statement.name)
            run.awaited.append(None)
        self._wire.send_query_prepared(statement.name, statement.values, [1] * len(statement.values))
        run.awaited.append(statement)

    def _send_more(self, loop: asyncio.AbstractEventLoop, socket: int) -> None:
        try:
            if self._wire.flush() == WRITE_MORE:
                loop.add_writer(socket, self._send_more, loop, socket)
            else:
                loop.remove_writer(socket)
        except psycopg.Error as error:
            self._fail(loop, socket, error)

    def _receive(self, loop: asyncio.AbstractEventLoop, socket: int) -> None:
        """Each answer ends with None; a second None in a row says that the rest has not come yet."""
        wire = self._wire
        try:
            wire.consume_input()
            while self._runs and not wire.is_busy():
                result = wire.get_result()
                if result is None:
                    if self._ended:
                        break
                    self._ended = True
                    continue
                self._ended = False
                run = self._runs[0]
                run.results.append(result)
                if run.complete:
                    self._runs.popleft()
                    _settle(run.done)
        except psycopg.Error as error:
            self._fail(loop, socket, error)
            return
        loop.remove_reader(socket)
        if self._runs:  # anew: data and a broken socket at once are one call of uvloop, and its last
            loop.add_reader(socket, self._receive, loop, socket)

    def _fail(self, loop: asyncio.AbstractEventLoop, socket: int, error: Exception) -> None:
        """The connection broke: whoever waits hears it."""
        loop.remove_reader(socket)
        loop.remove_writer(socket)
        while self._runs:
            done = self._runs.popleft().done
            if not done.done():
                done.set_exception(error)


def _settle(done: asyncio.Future[None]) -> None:
    if not done.done():  # nobody waits any more
        done.set_result(None)
