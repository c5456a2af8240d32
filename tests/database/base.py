"""Our engine, with a flush between tests that passes by the guards of history.

Most tests fill a handful of the sixty tables, with few rows: those are deleted, which is many times as quick
as truncating all of them. What migrations leave (content types, permissions) stays: see `tests.services`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakSet

from django.db.backends.postgresql.operations import DatabaseOperations

from simgame.database import base, roles
from simgame.kernel import viewer

MADE_BY_MIGRATE = ("django_content_type", "auth_permission")
FEW = 1_000  # rows; a table with more is truncated
EMPTY = """
DO $$
DECLARE
  each text;
  rows integer;
BEGIN
  FOREACH each IN ARRAY ARRAY[{tables}] LOOP
    EXECUTE format('SELECT count(*) FROM (SELECT 1 FROM %I LIMIT {few}) AS first', each) INTO rows;
    IF rows BETWEEN 1 AND {few} - 1 THEN
      EXECUTE format('DELETE FROM %I', each);
    ELSIF rows > 0 THEN
      EXECUTE format('TRUNCATE %I CASCADE', each);
    END IF;
  END LOOP;
END $$;"""


class Operations(DatabaseOperations):
    def sql_flush(
        self, style: Any, tables: Sequence[str], *, reset_sequences: bool = False, allow_cascade: bool = False
    ) -> list[str]:
        asked = [table for table in tables if table not in MADE_BY_MIGRATE]
        if reset_sequences:
            return super().sql_flush(style, asked, reset_sequences=True, allow_cascade=True)
        return [EMPTY.format(tables=", ".join(f"'{table}'" for table in asked), few=FEW)]

    def execute_sql_flush(self, sql_list: Iterable[str]) -> None:
        super().execute_sql_flush(["SET LOCAL session_replication_role = replica", *sql_list])


class DatabaseWrapper(base.DatabaseWrapper):
    """What a request asks runs as the web's role; what a test looks up itself runs as the owner."""

    ops_class = Operations

    def is_walled(self) -> bool:
        return True

    def who_looks(self) -> tuple[str, ...]:
        if viewer.now() is None:
            return ("RESET ROLE",)
        return (f"SET ROLE {roles.WEB}", *super().who_looks())

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        if self.pool:  # another may have served a request
            connection.execute("RESET ROLE")
        self._said = ("RESET ROLE",)
        return connection

    def connect(self) -> None:
        super().connect()
        _connected.add(self)


_connected: WeakSet[DatabaseWrapper] = WeakSet()


def close_all() -> None:
    """Close the connections of every thread."""
    for wrapper in list(_connected):
        wrapper.inc_thread_sharing()
        wrapper.close()
        wrapper.dec_thread_sharing()
