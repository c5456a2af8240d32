"""What an operator reads of recordings: rows of facts, and their table."""

from __future__ import annotations

from typing import Any

from market import errors
from market.messages import JSON
from market.models import World
from market.sources import replay
from market.sources.replay import shelf
from simgame.kernel import clock

NAMES_SHOWN = 5


def every() -> list[JSON]:
    """The recordings with a short name that are there. One that cannot be opened says why."""
    there = [name for name, place in shelf.SHORT_NAMES.items() if (shelf.SHARED / place).exists()]
    return [_row(name) for name in there]


def facts_of(text: str) -> JSON:
    """Raises RecordingMissing, RecordingUnknown."""
    facts = replay.describe(text)
    symbols = [row["symbol"] for row in facts.instruments]
    return {
        "format": facts.format,
        "name": facts.name,
        "world": facts.slug,
        "from": clock.rfc3339(facts.start_ns),
        "to": clock.rfc3339(facts.end_ns),
        "timezone": facts.timezone,
        "rulebook": facts.rulebook,
        "instruments": len(symbols),
        "symbols": symbols[:NAMES_SHOWN] + (["…"] if len(symbols) > NAMES_SHOWN else []),
        "made": facts.made,
        "notes": facts.notes,
        "recording": facts.recording,
    }


def drawn(world: World) -> JSON:
    """Says nothing of the day."""
    return {"world": world.slug, "instruments": world.instruments.count(), "play": f"--world {world.slug}"}


def _row(name: str) -> JSON:
    try:
        facts = facts_of(name)
    except errors.MarketError as error:
        return {"recording": name, "format": "unreadable", "name": error.detail}
    shown = ("format", "name", "from", "to", "instruments", "made")
    return {"recording": name, **{key: facts[key] for key in shown}}


def table(found: list[JSON] | JSON) -> str:
    """Rows under each other: `name  value`, a blank line between two."""
    rows = found if isinstance(found, list) else [found]
    return "\n\n".join("\n".join(f"{key:<12} {_text(value)}" for key, value in row.items()) for row in rows)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "nothing"
    if isinstance(value, dict):
        return ", ".join(f"{key} = {of}" for key, of in value.items())
    return str(value)
