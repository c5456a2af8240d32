"""JSON as it was written."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.functions import Cast


class StoredJSON(models.JSONField):
    """PostgreSQL's `json`: the text itself, checked once and parsed when somebody asks.

    For what every order writes and few read: `jsonb` takes twice the time to store. Lookups cast it to
    jsonb by themselves; in SQL `->` and `->>` work, other operators need the cast.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "json"

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        """psycopg has parsed it already."""
        return value

    def get_transform(self, name: str) -> Any:
        return partial(_on_jsonb, super().get_transform(name))

    def get_lookup(self, name: str) -> Any:
        found = super().get_lookup(name)
        return found and partial(_on_jsonb, found)


def _on_jsonb(make: Any, column: Any, *rest: Any) -> Any:
    return make(Cast(column, models.JSONField()), *rest)
