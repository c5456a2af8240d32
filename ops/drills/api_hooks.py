"""Schemathesis reads this in a process of its own (SCHEMATHESIS_HOOKS): who asks, and what is counted.

Operations that end a sign-in are asked with a token that may end, and with the next one when it has: the one
that everything else is asked with goes on.
"""

from __future__ import annotations

import atexit
import os
from collections import Counter, deque
from pathlib import Path
from typing import Any

import schemathesis

FOLDER = Path(os.environ["SIMGAME_DRILL_API"])
PLAYER, *SPENT = (FOLDER / "tokens").read_text(encoding="ascii").split()
WRITTEN_EVERY = 100
PRESENTED = {"authorization", "apca-api-key-id", "apca-api-secret-key", "cookie"}
AUTH = "/api/v1/auth/"
_spare = deque(SPENT)
_answers: Counter[tuple[str, str, int]] = Counter()  # by phase, operation, status


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    headers = dict(case.headers or {})
    if any(name.lower() in PRESENTED for name in headers):
        return  # made to be refused
    case.headers = {
        **headers,
        "Authorization": f"Bearer {_spare[0] if case.path.startswith(AUTH) else PLAYER}",
    }


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    if response.status_code == 401 and case.path.startswith(AUTH) and b'"EXPIRED_TOKEN"' in response.content:
        _spare.rotate(-1)
    phase = case.meta.phase.name.value if case.meta else "unknown"
    _answers[phase, case.operation.label, response.status_code] += 1
    if _answers.total() % WRITTEN_EVERY == 0:
        write()


def write() -> None:
    lines = [f"{phase}\t{what}\t{status}\t{count}" for (phase, what, status), count in _answers.items()]
    unfinished = FOLDER / f"{os.getpid()}.unfinished"
    unfinished.write_text("\n".join(lines), encoding="utf-8")
    unfinished.replace(FOLDER / f"answers.{os.getpid()}")


atexit.register(write)
