"""What `manage.py feed` does: questions to a running feed, and wishes that the lease remembers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from market import errors
from market.feed import client

Facts = dict[str, Any]


def do(world_number: int, action: str, value: str | None) -> Facts:
    """Raises FeedUnavailable when no feed answers, BadControl when it refuses."""
    question: Facts = {"op": "status"}
    if action == "force":
        question = {"op": "force", "source": value or ""}
    elif action != "status":
        question = {"op": "control", **_wanted(action, value)}
    answer = client.ask_sync(world_number, question)
    answer.pop("op")
    return answer


def _wanted(action: str, value: str | None) -> Facts:
    if action in ("pause", "resume"):
        return {"paused": action == "pause"}
    if value is None:
        raise errors.BadControl(f"`feed {action}` needs a value: `feed speed 60`, `feed seek 10:30`.")
    if action == "seek":
        return {"seek": value}
    if not (value.isascii() and value.isdigit()):
        raise errors.BadControl(f"Speed {value[:40]!r} is not possible: a whole number from 1 to 1000.")
    return {"speed": int(value)}


def table(facts: Facts) -> str:
    """One `name  value` a line; nested names joined by a dot."""
    rows = list(_flat(facts))
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def _flat(facts: Facts, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in facts.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for number, one in enumerate(value, 1):
                yield from _flat(one, f"{prefix}{name}.{number}.")
        else:
            yield f"{prefix}{name}", value
