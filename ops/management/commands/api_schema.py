"""`manage.py api_schema`: the contract of REST and stream, checked against the last release."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ops import contract, lint

EXIT_FOUND = 3


class Command(BaseCommand):
    help = """The API's contract: OpenAPI 3.1 and AsyncAPI 3.

  manage.py api_schema              the OpenAPI document of this code, as JSON
  manage.py api_schema --async      the AsyncAPI document
  manage.py api_schema --check      lint both; compare them with the last release in docs/api
  manage.py api_schema --release    write them to docs/api: they are what the next --check compares with

A change that can break a client needs --release --breaking, and the first number of
SPECTACULAR_SETTINGS["VERSION"] raised. Exit codes: 0 nothing found, 3 something found."""
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--async", action="store_true", dest="asyncapi")
        what.add_argument("--check", action="store_true")
        what.add_argument("--release", action="store_true")
        parser.add_argument("--breaking", action="store_true", help="release what breaks clients")

    def handle(self, *args: Any, **options: Any) -> None:
        if not (options["check"] or options["release"]):
            name = "asyncapi" if options["asyncapi"] else "openapi"
            self.stdout.write(contract.written(contract.documents()[name]), ending="")
            return
        found = lint.findings()
        if not found and not options["breaking"]:
            found = contract.broken()
        if found:
            self.stderr.write("\n".join(found))
            self.stderr.write(contract.HOW_TO_BREAK)
            sys.exit(EXIT_FOUND)
        if options["release"]:
            self.release(options["breaking"])
        elif unreleased := contract.unreleased():
            self.stdout.write(
                f"{', '.join(unreleased)}: changed since the last release. "
                "Nothing breaks; write it down with `manage.py api_schema --release`."
            )

    def release(self, breaking: bool) -> None:
        if breaking and not contract.is_new_major():
            raise CommandError("A breaking release raises the first number of the contract's version.")
        for name in contract.release():
            self.stdout.write(f"{name} is released as {contract.version()}.")
