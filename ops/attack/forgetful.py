"""The web server with its first wall taken away: every query drops the condition that names an owner.

    python -m ops.attack.forgetful --port 8001

For `manage.py attack` (S14) only: it shows that the second wall, row-level security, holds by itself.
"""

from __future__ import annotations

import runpy
from typing import Any

from django.db.models import QuerySet

OWNERS = frozenset({"portfolio", "portfolio_id", "player", "player_id", "account", "host", "host_id"})
_asked = QuerySet._filter_or_exclude_inplace


def _forgetful(rows: QuerySet[Any], negate: bool, args: Any, conditions: dict[str, Any]) -> None:
    kept = {name: value for name, value in conditions.items() if name not in OWNERS}
    _asked(rows, negate, args, kept)


if __name__ == "__main__":
    QuerySet._filter_or_exclude_inplace = _forgetful  # type: ignore[method-assign]
    runpy.run_module("simgame.web", run_name="__main__", alter_sys=True)
