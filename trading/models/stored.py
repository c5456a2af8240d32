"""JSON as it was written."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class StoredJSON(models.JSONField):
    """PostgreSQL's `json`: the text itself, checked once and parsed when somebody asks.

    For what every order writes and few read: `jsonb` takes twice the time to store. `->` and `->>` work;
    comparing and searching need a cast (`receipt::jsonb @> …`).
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "json"

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        """psycopg has parsed it already."""
        return value
