"""What `manage.py screenshots` needs before it can begin: a running game, Chromium, Playwright."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Final

from django.conf import settings

from simgame.bootstrap import chromium

try:
    from ops import pictures, pictures_staff
except ImportError:  # Playwright is there only in development
    pictures = pictures_staff = None  # type: ignore[assignment]


PASSWORD: Final = "SIMGAME_STAFF_PASSWORD"


class CannotPicture(Exception):
    """One sentence that says what is missing and how to get it."""


def make(
    address: str,
    folder: Path,
    told: Callable[[str], None],
    wanted: Mapping[str, Sequence[str] | None],
    *,
    resume: bool = False,
    staff: str = "",
) -> pictures.Album:
    """What was pictured and what was missed. `wanted`: languages, sizes, themes; None means all of them.

    Raises CannotPicture.
    """
    if pictures is None:
        raise CannotPicture("Playwright is missing: install the development requirements.")
    program = chromium.find()
    if program is None:
        raise CannotPicture("There is no Chromium here: install the package chromium.")
    who = (staff, _password()) if staff else None
    every = {"languages": pictures.LANGUAGES, "sizes": pictures.SIZES, "themes": pictures.THEMES}
    chosen = [wanted.get(name) or all_ for name, all_ in every.items()]
    tours = [pictures.Tour(*which) for which in product(*chosen)]
    album = pictures.Album(folder, told)
    try:
        pictures.take(address or running(), program, tours, album, resume=resume, staff=who)
    except pictures_staff.NotStaff:
        raise CannotPicture(
            f"The admin does not open to {staff!r}: is the name right, and the password in {PASSWORD}? "
            "`manage.py createsuperuser` makes such a person."
        ) from None
    return album


def _password() -> str:
    if not (found := os.environ.get(PASSWORD, "")):
        raise CannotPicture(f"Give the password of the member of staff in {PASSWORD}.")
    return found


def running() -> str:
    """The address of this checkout's game."""
    try:
        return str(json.loads((settings.HOME / "play.json").read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError):
        raise CannotPicture(
            "No game runs here: start one with `manage.py play`, or give --address."
        ) from None
