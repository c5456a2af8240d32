"""Which modules of the engine are compiled."""

from __future__ import annotations

from simgame import env

PACKAGE = "trading.engine"
SOURCES = env.BASE_DIR / "trading" / "engine"
# Structs of msgspec are made by their own metaclass: a compiled class would lose what they say of themselves.
STAY = {"__init__.py", "commands.py", "draft.py", "events.py", "invariants.py", "records.py"}


def modules() -> list[str]:
    """As paths from the project's folder."""
    found = sorted(path for path in SOURCES.glob("*.py") if path.name not in STAY)
    return [str(path.relative_to(env.BASE_DIR)) for path in found]
