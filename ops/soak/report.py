"""The report of a drill as a table for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

NOT_SHOWN = ("findings", "checkpoints", "machine", "options")


def table(report: dict[str, Any]) -> str:
    rows = list(_flat({name: value for name, value in report.items() if name not in NOT_SHOWN}))
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {_shown(value)}" for name, value in rows]
    lines.append(f"{'findings':<{width}}  {len(report['findings'])}")
    lines += [f"  {one['kind']}: {one['words']}" for one in report["findings"]]
    return "\n".join(lines)


def _flat(facts: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in facts.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
