"""Statements to PostgreSQL and back on the event loop: all leave together, all answers come together.

This is libpq's pipeline mode without a thread: one write, one wait. Statements are prepared where they
are first used; parameters are binary.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import pq

from trading.exchange.tables import MISSING, Statement

WRITE_MORE = 1  # PQflush: the socket is full
Result = pq.abc.PGresult


class MissingRows(psycopg.DataError):
    """A statement touched fewer rows than it was given: memory and tables differ."""


class Pipeline:
    """On top of a connection that nobody uses meanwhile. One `run` at a time."""

    def __init__(self, connection: psycopg.Connection[Any]):
        self._wire = connection.pgconn
        self._prepared: set[bytes] = set()
        self._awaited: list[Statement | None] = []  # None: the answer to a preparation
        self._results: list[Result] = []

    async def run(self, statements: Sequence[Statement]) -> list[Result]:
        """The result of each. Raises psycopg.Error for the first one that failed (a transaction that was
        begun is left as it is), and psycopg.OperationalError when the connection broke.
        """
        loop, wire = asyncio.get_running_loop(), self._wire
        done = loop.create_future()
        self._awaited, self._results = [], []
        wire.enter_pipeline_mode()
        for statement in statements:
            self._send(statement)
        wire.pipeline_sync()
        socket = wire.socket
        loop.add_reader(socket, self._receive, done)
        try:
            if wire.flush() == WRITE_MORE:
                loop.add_writer(socket, self._send_more, done)
            await done
        finally:
            loop.remove_reader(socket)
            loop.remove_writer(socket)
        wire.exit_pipeline_mode()
        return self._checked()

    def _send(self, statement: Statement) -> None:
        if statement.name not in self._prepared:
            self._wire.send_prepare(statement.name, statement.sql)
            self._prepared.add(statement.name)
            self._awaited.append(None)
        self._wire.send_query_prepared(statement.name, statement.values, [1] * len(statement.values))
        self._awaited.append(statement)

    def _send_more(self, done: asyncio.Future[None]) -> None:
        try:
            if self._wire.flush() != WRITE_MORE:
                asyncio.get_running_loop().remove_writer(self._wire.socket)
        except psycopg.Error as error:
            _fail(done, error)

    def _receive(self, done: asyncio.Future[None]) -> None:
        """Each answer ends with None; a second None in a row says that the rest has not come yet."""
        wire = self._wire
        try:
            wire.consume_input()
            ended = True
            while not wire.is_busy():
                result = wire.get_result()
                if result is None:
                    if ended:
                        return
                    ended = True
                elif result.status == pq.ExecStatus.PIPELINE_SYNC:
                    if not done.done():
                        done.set_result(None)
                    return
                else:
                    self._results.append(result)
                    ended = False
        except psycopg.Error as error:
            _fail(done, error)

    def _checked(self) -> list[Result]:
        answers: list[Result] = []
        for statement, result in zip(self._awaited, self._results, strict=True):
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


def _fail(done: asyncio.Future[None], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
