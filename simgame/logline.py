"""A JSON log line as a person reads it on a terminal. Files and pipes keep the JSON."""

from __future__ import annotations

import json

LEVELS = {"warning": "WARNING ", "error": "ERROR ", "critical": "CRITICAL "}
LEFT_OUT = {"ts", "level", "event", "logger", "exception"}


def readable(line: str) -> str:
    """`event key=value …`, the level only when it matters; any other line as it is."""
    if not line.startswith("{"):
        return line
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if not isinstance(entry, dict) or "event" not in entry:
        return line
    facts = [f"{key}={_short(value)}" for key, value in entry.items() if key not in LEFT_OUT]
    first = f"{LEVELS.get(str(entry.get('level')), '')}{entry['event']}"
    trace = f"\n{entry['exception']}" if entry.get("exception") else ""
    return " ".join([first, *facts]) + trace


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
