"""Which modules are compiled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from simgame import env

ENGINE: Final = "trading/engine"
# Structs of msgspec are made by their own metaclass: a compiled class would lose what they say of themselves.
STAY: Final = {"__init__.py", "commands.py", "draft.py", "events.py", "invariants.py", "records.py"}
# What makes rows and answers of the engine's events. Compiling audit, statements and tables gains nothing:
# they are single calls into C over whole columns. The rest of the exchange waits more than it works.
ROWS: Final = (
    "trading/exchange/applier.py",
    "trading/exchange/arrays.py",
    "trading/exchange/batch.py",
    "trading/exchange/framing.py",
    "trading/exchange/idempotency.py",
    "trading/exchange/known.py",
    "trading/exchange/replies.py",
    "trading/exchange/streams.py",
    "trading/messages/events.py",
    "trading/messages/rows.py",
)


def groups() -> Iterator[tuple[str, list[str]]]:
    """Name and modules, as paths from the project's folder, of what is compiled together.

    Within a group calls are those of C; between two they are Python's, so that a bench may put its clock
    around the engine.
    """
    engine = sorted(path.name for path in Path(env.BASE_DIR, ENGINE).glob("*.py") if path.name not in STAY)
    yield "engine", [f"{ENGINE}/{name}" for name in engine]
    yield "rows", list(ROWS)


def count() -> int:
    return sum(len(paths) for _, paths in groups())
