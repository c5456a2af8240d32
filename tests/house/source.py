"""The project's own files, as git knows them: tracked, or new and not ignored."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path

from simgame.env import BASE_DIR

ROOMS = ("accounts", "market", "ops", "realtime", "simgame", "trading")
TEXT = {
    ".py",
    ".js",
    ".mjs",
    ".css",
    ".html",
    ".md",
    ".toml",
    ".yaml",
    ".yml",
    ".json",
    ".txt",
    ".sh",
    ".cfg",
    ".po",
}


@cache
def files() -> tuple[Path, ...]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    return tuple(path for name in listed if name and (path := BASE_DIR / name).is_file())


def name(path: Path) -> str:
    return path.relative_to(BASE_DIR).as_posix()


def texts() -> list[Path]:
    return [path for path in files() if path.suffix in TEXT or path.suffix == ""]


def code(*rooms: str) -> list[Path]:
    """Python files of these rooms (all rooms when none is named), migrations aside."""
    chosen = tuple(f"{room}/" for room in rooms or ROOMS)
    return [
        path
        for path in files()
        if path.suffix == ".py" and name(path).startswith(chosen) and "migrations" not in path.parts
    ]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
