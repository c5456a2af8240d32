"""JSON as it was written."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.functions import Cast


class StoredJSON(models.JSONField):
    """The text itself, in a column of text: parsed when somebody asks, and by nobody before.

    For what every order writes and few read: PostgreSQL's `jsonb` takes twice the time to store, and its
    `json` is parsed to be checked. Lookups cast it to jsonb by themselves; SQL has to cast it.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "text"

    def from_db_value(self, value: str | None, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        return None if value is None else json.loads(value)

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        return None if value is None else json.dumps(value)

    def get_transform(self, name: str) -> Any:
        return partial(_on_jsonb, super().get_transform(name))

    def get_lookup(self, name: str) -> Any:
        found = super().get_lookup(name)
        return found and partial(_on_jsonb, found)


def _on_jsonb(make: Any, column: Any, *rest: Any) -> Any:
    return make(Cast(column, models.JSONField()), *rest)
