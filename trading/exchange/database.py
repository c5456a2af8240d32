"""The exchange's own connections: plain psycopg, outside Django's pool, one per duty."""

from __future__ import annotations

from typing import Any

import psycopg
from django.db import connections

STATEMENT_TIMEOUT_MS = 30_000
LOCK_TIMEOUT_MS = 1_500  # less than players' requests wait: behind a rogue lock they hear "not executed"

ROLE = "simgame_exchange"  # may write history, but neither change nor delete it: migrations/0008
BECOME = f"""
SELECT set_config('role', rolname, false) FROM pg_roles
WHERE rolname = '{ROLE}' AND pg_has_role(current_user, oid, 'MEMBER')"""  # where the server has it


def connect(duty: str) -> psycopg.Connection[tuple[Any, ...]]:
    """An autocommit connection to the default database. Raises psycopg.OperationalError."""
    default = connections["default"]
    options = dict(default.get_connection_params())
    for name in ("cursor_factory", "context", "prepare_threshold", "server_side_binding", "options"):
        options.pop(name, None)
    options |= {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "connect_timeout": 5}
    settings = {
        "synchronous_commit": "on",  # what is acked must survive a crash
        "statement_timeout": STATEMENT_TIMEOUT_MS,
        "lock_timeout": LOCK_TIMEOUT_MS,
        "idle_in_transaction_session_timeout": STATEMENT_TIMEOUT_MS,
        "timezone": "UTC",
        "jit": "off",
    }
    connection = psycopg.connect(
        **options,
        autocommit=True,
        application_name=f"simgame exchange {duty}",
        options=" ".join(f"-c {name}={value}" for name, value in settings.items()),
    )
    connection.execute(BECOME)
    return connection
