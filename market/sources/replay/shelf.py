"""Finding recordings: by path, by place in the shared data folder, or by short name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from market import errors
from market.sources.replay.facts import Reader, Recording, RecordingFacts
from simgame.env import BASE_DIR

SHARED = BASE_DIR.parent / "shared" / "data"
SHORT_NAMES: dict[str, str] = {}
READERS: tuple[Reader, ...] = ()


def describe(path: str) -> RecordingFacts:
    """What a recording holds. Raises RecordingMissing or RecordingUnknown, one clear sentence each."""
    return open_recording(path).facts


def open_recording(path: str, options: dict[str, Any] | None = None) -> Recording:
    found = find(path)
    for reader in READERS:
        if reader.recognises(found):
            return reader.open(found, options or {})
    raise errors.RecordingUnknown(f"{found} is no recording that can be replayed.")


def find(text: str) -> Path:
    path = Path(SHORT_NAMES.get(text, text)).expanduser()
    for candidate in (path, SHARED / path):
        if candidate.exists():
            return candidate.resolve()
    raise errors.RecordingMissing(f"There is no recording {text[:200]!r}.")
