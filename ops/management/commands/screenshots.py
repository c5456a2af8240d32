"""`manage.py screenshots`: pictures of every page of a running game."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ops import gallery


class Command(BaseCommand):
    help = (
        "Makes pictures of every page of a game that runs (`manage.py play`): both languages, dark and "
        "light, wide and phone. A guest plays on the way. A page that fails is left out and told at the "
        "end, with exit code 1. Example: manage.py screenshots --language en --size wide"
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--address", default="", help="of the game (default: the one of this checkout)")
        parser.add_argument(
            "--out", type=Path, default=settings.HOME / "pictures", help="folder (default: in the home)"
        )
        parser.add_argument("--language", choices=["en", "zh"], action="append", help="default: both")
        parser.add_argument("--size", choices=["wide", "phone"], action="append", help="default: both")
        parser.add_argument("--theme", choices=["dark", "light"], action="append", help="default: both")
        parser.add_argument("--resume", action="store_true", help="leave out what went well before")
        parser.add_argument(
            "--staff", default="", help=f"picture the admin too, as this person ({gallery.PASSWORD})"
        )

    def handle(self, *args: Any, address: str, out: Path, **options: Any) -> None:
        wanted = {f"{name}s": options[name] for name in ("language", "size", "theme")}
        try:
            album = gallery.make(
                address, out, self.stderr.write, wanted, resume=options["resume"], staff=options["staff"]
            )
        except gallery.CannotPicture as why:
            raise CommandError(str(why), returncode=1) from why
        self.stdout.write(f"{len(album.made)} pictures in {out}")
        if album.missed:
            told = "\n".join(f"- {one}" for one in album.missed)
            raise CommandError(f"{len(album.missed)} parts are missing:\n{told}", returncode=1)
