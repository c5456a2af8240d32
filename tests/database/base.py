"""PostgreSQL as Django knows it, with a flush between tests that passes by the guards of history."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.backends.postgresql import base
from django.db.backends.postgresql.operations import DatabaseOperations


class Operations(DatabaseOperations):
    def execute_sql_flush(self, sql_list: Iterable[str]) -> None:
        super().execute_sql_flush(["SET LOCAL session_replication_role = replica", *sql_list])


class DatabaseWrapper(base.DatabaseWrapper):
    ops_class = Operations
