"""Which code decides: journals name it, so that a replay by other code can say so."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import market.book
import market.rulebook.rules
import simgame.kernel.money
import trading.engine

VERSION_CHARS = 12


@cache
def engine_version() -> str:
    """The first digits of a SHA-256 over the sources of everything that the engine decides with.

    Nobody has to remember to raise a number; a changed comment counts as another version too.
    """
    engine = sorted(Path(trading.engine.__file__).parent.glob("*.py"))  # also of a compiled one
    others = [Path(module.__file__) for module in (market.book, market.rulebook.rules, simgame.kernel.money)]
    digest = hashlib.sha256()
    for path in (*engine, *others):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:VERSION_CHARS]
