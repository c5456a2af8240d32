"""Nobody changes history: not by mistake, not as the exchange, not by emptying a table."""

from __future__ import annotations

import psycopg
import pytest
from django.db import connection
from django.db.utils import DatabaseError

from tests.exchange import planted
from trading.exchange.database import ROLE, connect

pytestmark = pytest.mark.django_db(transaction=True)

GUARDED = """
SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE t.tgname = %s ORDER BY 1"""


def guarded(trigger: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(GUARDED, [trigger])
        return [row[0] for row in cursor.fetchall()]


def column_of(table: str) -> str:
    with connection.cursor() as cursor:
        return connection.introspection.get_table_description(cursor, table)[-1].name


def acts(table: str) -> dict[str, str]:
    return {
        "DELETE": f"DELETE FROM {table}",
        "UPDATE": f"UPDATE {table} SET {column_of(table)} = NULL",
        "TRUNCATE": f"TRUNCATE {table}",
    }


def test_every_table_of_history_has_both_guards(db):
    tables = {"trading_command", "trading_fill", "trading_transfer", "trading_accountevent", "trading_heard"}
    assert tables <= set(guarded("append_only"))
    assert guarded("append_only") == guarded("never_emptied")


def test_nobody_changes_or_empties_it(exchange, world):
    planted.trade(world)
    for table in guarded("append_only"):
        for act, sql in acts(table).items():
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT count(*) FROM {table}")
                if act != "TRUNCATE" and not cursor.fetchone()[0]:
                    continue  # a row trigger needs a row
                with pytest.raises(DatabaseError, match=f"{act} on {table} is refused"):
                    cursor.execute(sql)


def test_the_exchange_has_no_right_to_it(db):
    with connect("test") as exchange:
        assert exchange.execute("SELECT current_user").fetchone() == (ROLE,)
        for table in guarded("append_only"):
            for sql in acts(table).values():
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    exchange.execute(sql)


def test_the_exchange_may_write_all_the_rest(db):
    """Tables of later migrations too: the role's default privileges see to it."""
    wanted = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^(trading|market)_' AND NOT "
    right = "has_table_privilege(%s, oid, 'SELECT, INSERT')"
    with connection.cursor() as cursor:
        cursor.execute(f"{wanted} ({right})", [ROLE])
        assert cursor.fetchall() == []
        cursor.execute("CREATE TABLE trading_of_a_later_release (id bigint)")
        cursor.execute(f"{wanted} ({right})", [ROLE])
        assert cursor.fetchall() == []
        cursor.execute("DROP TABLE trading_of_a_later_release")
