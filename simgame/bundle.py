"""The pages' scripts and styles as the browser gets them: packed by `ops/frontend/build.mjs` into the home.

They are used only when they were made of the sources that lie here now; else, and while debugging, the
browser gets the sources one by one: slower, never stale. Standard library only: the set-up reads it too.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from simgame import env

FOLDER: Final = "bundle"  # in the home, and below /static/
MANIFEST: Final = "manifest.json"  # source's name → {file, needs: files that it imports}
STAMP: Final = "sources.sha256"
SOURCES: Final = ("static/js", "static/css", "ops/frontend")


def digest() -> str:
    """Of every source, its name and its text."""
    found = hashlib.sha256()
    for path in sorted(path for folder in SOURCES for path in (env.BASE_DIR / folder).iterdir()):
        if path.is_file():
            found.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()


def is_fresh(folder: Path) -> bool:
    stamp = folder / STAMP
    return stamp.is_file() and stamp.read_text(encoding="ascii") == digest()


def manifest(folder: Path) -> dict[str, Any]:
    """Source's name, `js/desk.js` → its file; empty when nothing was packed, or not of these sources."""
    if not is_fresh(folder):
        return {}
    found: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return found
