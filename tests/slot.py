"""One home per running test session: `<home>/test/0`, `1`, … the first that nobody else holds.

The database folder and the keys of a slot are kept, so that a second run starts quickly; the rest
of what a run left behind is removed. Two sessions at once never share a server.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from pathlib import Path
from typing import BinaryIO

from simgame import env

SLOTS_MAX = 32
KEPT = {"postgres", "valkey", "run", "keys", "npm", "pycache", ".embedded.lock"}
MADE = ("npm", "bundle")
_held: list[BinaryIO] = []  # the lock lives as long as this process


def claim() -> Path:
    """Take a slot and make it this process's SIMGAME_HOME."""
    developers = env.home()
    folder = developers / "test"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(SLOTS_MAX):
        lock = open(folder / f"{number}.lock", "wb")  # noqa: SIM115  held until the process ends
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        _held.append(lock)
        home = _fresh(folder / str(number))
        _link_made(developers, home)
        os.environ["SIMGAME_HOME"] = str(home)
        return home
    raise SystemExit(f"All {SLOTS_MAX} test homes in {folder} are in use: are old test runs still going?")


def database_name(home: Path) -> str:
    """Also unique on a server given by DATABASE_URL that several checkouts share."""
    return f"test_simgame_{hashlib.sha256(str(home).encode()).hexdigest()[:10]}"


def _fresh(home: Path) -> Path:
    home.mkdir(exist_ok=True)
    for path in home.iterdir():
        if path.name in KEPT:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    return home


def _link_made(developers: Path, home: Path) -> None:
    """The browser libraries and packed scripts that the bootstrap made serve the tests too."""
    for name in MADE:
        (developers / name).mkdir(exist_ok=True)
        link = home / name
        link.unlink(missing_ok=True)
        link.symlink_to(developers / name)
