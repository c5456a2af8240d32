"""What `manage.py screenshots` needs before it can begin: a running game, Chromium, Playwright."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from simgame.bootstrap import chromium

try:
    from ops import pictures
except ImportError:  # Playwright is there only in development
    pictures = None  # type: ignore[assignment]


class CannotPicture(Exception):
    """One sentence that says what is missing and how to get it."""


def make(address: str, folder: Path, told: Callable[[str], None], languages: tuple[str, ...]) -> list[Path]:
    """The paths of the pictures. Raises CannotPicture."""
    if pictures is None:
        raise CannotPicture("Playwright is missing: install the development requirements.")
    program = chromium.find()
    if program is None:
        raise CannotPicture("There is no Chromium here: install the package chromium.")
    try:
        return pictures.take(address or running(), folder, program, told, languages)
    except (pictures.Error, AssertionError) as why:  # an expectation of playwright is the latter
        raise CannotPicture(f"The browser could not finish: {why}") from why


def running() -> str:
    """The address of this checkout's game."""
    try:
        return str(json.loads((settings.HOME / "play.json").read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError):
        raise CannotPicture(
            "No game runs here: start one with `manage.py play`, or give --address."
        ) from None
