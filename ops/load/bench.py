"""Every bench by name, and what they share: the machine, percentiles, the shape of a report.

A bench is a module with `HELP`, `add_arguments(parser)` and `run(options, say) -> Report`. To add one,
write the module beside this file and name it in `BENCHES`.
"""

from __future__ import annotations

import os
import platform
import resource
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from simgame.kernel import compiled

Report = dict[str, Any]  # {bench, machine, seconds, ours: {…}, peer: {name, …}, ratio}
Say = Callable[[str], None]  # one line of progress for a person

BENCHES = {
    "burn": "ops.load.burn",
    "cost": "ops.load.cost",
    "engine": "ops.load.engine",
    "fanout": "ops.load.fanout",
    "growth": "ops.load.growth",
    "ingest": "ops.load.ingest",
    "orders": "ops.load.orders",
    "pages": "ops.load.pages",
    "recovery": "ops.load.recovery",
    "seeded": "ops.load.seeded",
}


def report(bench: str, seconds: float, ours: Report, peer: Report, measure: str) -> Report:
    """`ratio` compares `measure` of both; None when the peer got nothing done."""
    ratio = round(ours[measure] / peer[measure], 2) if peer.get(measure) else None
    return {
        "bench": bench,
        "machine": machine(),
        "seconds": seconds,
        "ours": ours,
        "peer": peer,
        "ratio": ratio,
    }


def machine() -> Report:
    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "engine": "compiled" if compiled.is_used() else "sources",
    }


def percentile(values: Sequence[float], part: float) -> float | None:
    """Nearest rank; `part` from 0 to 1. None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def positive(text: str) -> float:
    """An argparse type: a finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e9:
        raise ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number


def positive_int(text: str) -> int:
    if positive(text) != int(float(text)):
        raise ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return int(float(text))


def rates(text: str) -> list[float]:
    """An argparse type: numbers above 0, with commas between."""
    return [positive(part) for part in text.split(",")]


def span(text: str) -> float:
    """An argparse type: seconds, or 90s, 10m, 1h."""
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:], 0)
    return positive(text[:-1]) * unit if unit else positive(text)


def allow_many_files() -> None:
    """Each socket is a file; the usual soft limit of 1,024 is too few for a bench."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
