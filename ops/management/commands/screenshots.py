"""`manage.py screenshots`: pictures of every page of a running game."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ops import gallery


class Command(BaseCommand):
    help = (
        "Makes pictures of every page of a game that runs (`manage.py play`): dark and light, wide and "
        "phone. A guest plays on the way. Example: manage.py screenshots --out docs/pictures"
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--address", default="", help="of the game (default: the one of this checkout)")
        parser.add_argument("--out", type=Path, default=Path("docs/pictures"), help="folder for the pictures")

    def handle(self, *args: Any, address: str, out: Path, **options: Any) -> None:
        try:
            made = gallery.make(address, out, self.stderr.write)
        except gallery.CannotPicture as why:
            raise CommandError(str(why), returncode=1) from why
        self.stdout.write(f"{len(made)} pictures in {out}")
