"""`manage.py error_catalogue`: write docs/errors.md, or check that it is current."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ops import error_catalogue


class Command(BaseCommand):
    help = "Write docs/errors.md from the error classes. With --check: exit 3 when it is not current."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing, only compare")

    def handle(self, *args: Any, **options: Any) -> None:
        page = error_catalogue.page()
        if not options["check"]:
            error_catalogue.PATH.write_text(page, encoding="utf-8")
        elif not error_catalogue.PATH.exists() or error_catalogue.PATH.read_text(encoding="utf-8") != page:
            raise CommandError("docs/errors.md is old: run `manage.py error_catalogue`.", returncode=3)
