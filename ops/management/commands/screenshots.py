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
        "light, wide and phone. A guest plays on the way. Example: manage.py screenshots --language en"
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--address", default="", help="of the game (default: the one of this checkout)")
        parser.add_argument(
            "--out", type=Path, default=settings.HOME / "pictures", help="folder (default: in the home)"
        )
        parser.add_argument("--language", choices=["en", "zh"], action="append", help="default: both")

    def handle(self, *args: Any, address: str, out: Path, language: list[str] | None, **options: Any) -> None:
        try:
            made = gallery.make(address, out, self.stderr.write, tuple(language or ("en", "zh")))
        except gallery.CannotPicture as why:
            raise CommandError(str(why), returncode=1) from why
        self.stdout.write(f"{len(made)} pictures in {out}")
