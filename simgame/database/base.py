"""Django's PostgreSQL engine, for the web's login: it says who looks together with the next statement.

`SET simgame.viewer` travels in front of a statement, in the same message: no round trip more. It is said
when the viewer has changed on this connection, which is about once a request. What was said is forgotten
whenever it may have been undone: another connection of the pool, a rollback, a statement that failed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.backends.postgresql import base

from simgame.database import roles
from simgame.kernel import viewer


class DatabaseWrapper(base.DatabaseWrapper):
    _said: tuple[str, ...] | None = None  # as which viewer this connection is known to look

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if self.is_walled():
            self.execute_wrappers.append(self._say_who_looks)

    def is_walled(self) -> bool:
        return self.settings_dict["USER"] == roles.WEB

    def who_looks(self) -> tuple[str, ...]:
        """The statements that say it."""
        return (f"SET simgame.viewer TO '{viewer.now() or viewer.NOBODY}'",)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        self._said = None
        return super().get_new_connection(conn_params)

    def _rollback(self) -> None:
        self._said = None
        super()._rollback()

    def _savepoint_rollback(self, sid: str) -> None:
        self._said = self.who_looks()  # in a transaction that failed nothing may stand in front of it
        super()._savepoint_rollback(sid)
        self._said = None

    def _say_who_looks(
        self,
        execute: Callable[..., Any],
        sql: Any,
        params: Any,
        many: bool,
        context: dict[str, Any],
    ) -> Any:
        told = self.who_looks()
        if told == self._said:
            return execute(sql, params, many, context)
        self._said = None  # until it has worked
        cursor = context["cursor"].cursor
        if many or not isinstance(sql, str) or hasattr(cursor, "scrollable"):  # a cursor of the server's
            with self.connection.cursor() as own:
                own.execute("; ".join(told))
            done = execute(sql, params, many, context)
        else:
            done = execute("; ".join((*told, sql)), params, many, context)
            for _ in told:
                cursor.nextset()
        self._said = told
        return done
