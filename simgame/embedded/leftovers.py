"""What a killed server leaves in its folder, and when it is safe to remove.

PostgreSQL takes a zombie, or a stranger who was given the old number, for a running server and
refuses to start. It is gone for sure when no process works in its data folder any more.
"""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


def workers_in(folder: Path) -> list[int]:
    """Live processes whose working folder is `folder` (PostgreSQL's all are). Linux only."""
    target = os.path.realpath(folder)
    return [int(entry.name) for entry in PROC.glob("[0-9]*") if _works_in(entry, target)]


def _works_in(process: Path, target: str) -> bool:
    try:
        return os.readlink(process / "cwd") == target  # a zombie has none
    except OSError:
        return False


def clear_postgres(data: Path, socket: Path) -> None:
    """Remove pid and socket locks of a dead postmaster. The caller holds the home's lock."""
    if not PROC.is_dir() or workers_in(data):
        return
    for path in (data / "postmaster.pid", socket, socket.with_name(f"{socket.name}.lock")):
        path.unlink(missing_ok=True)
