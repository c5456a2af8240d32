"""`manage.py drill NAME`: long random runs that must find nothing."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module
from typing import Any

from django.core.management.base import CommandError, CommandParser

from simgame.kernel.teaching import TeachingCommand

DRILLS = {
    "engine": "ops.drills.engine",
    "books": "ops.drills.books",
    "day": "ops.drills.day",
    "bad_input": "ops.drills.bad_input",
    "api": "ops.drills.api",
    "checker": "ops.drills.checker",
    "frames": "ops.drills.frames",
}
EXIT_FOUND = 3
ABOUT = """Drills the exchange with chance: every run names its seed and can be repeated.

  manage.py drill engine        random commands: the engine against a naive second engine
  manage.py drill books         random commands and crashes through engine and PostgreSQL, judged
  manage.py drill day           a whole market day with people trading, every receipt recomputed
  manage.py drill bad_input     orders that bite, asked of a real server
  manage.py drill api           everything that the API's schema allows, and much that it does not
  manage.py drill checker       errors planted into the tables: how long until they are found
  manage.py drill frames        what desks are shown while everything breaks, against the database

Progress goes to stderr, the report to stdout. `manage.py drill NAME --help` says what is compared.
Exit codes: 0 nothing found, 1 failed, 2 wrong usage, 3 something found.
"""


class Command(TeachingCommand):
    help = ABOUT
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        drills = parser.add_subparsers(dest="drill", required=True, metavar="|".join(DRILLS))
        for name, module in DRILLS.items():
            drill = import_module(module)
            formatter = argparse.RawDescriptionHelpFormatter
            first, _, _ = drill.HELP.partition("\n")
            one = drills.add_parser(name, help=first, description=drill.HELP, formatter_class=formatter)
            one.add_argument("--format", choices=["table", "json"], default="table")
            drill.add_arguments(one)

    def handle(self, *args: Any, **options: Any) -> None:
        if options.get("commands", 1) < 1 or options.get("processes", 1) < 1:
            raise CommandError("At least one command and one process.", returncode=2)
        try:
            report = import_module(DRILLS[options["drill"]]).run(options)
        except RuntimeError as error:
            raise CommandError(str(error)) from error
        if options["format"] == "json":
            self.stdout.write(json.dumps(report, indent=2, default=str))
        else:
            self.stdout.write("\n".join(_lines(report)))
        if report["difference"]:
            sys.exit(EXIT_FOUND)


def _lines(report: dict[str, Any]) -> list[str]:
    found = report["difference"]
    lines = [f"{name:<12}{_plain(value):>16}" for name, value in report.items() if name != "difference"]
    if found is None:
        return [*lines, "no difference"]
    lines.append("DIFFERENCE")
    for name, value in found.items():
        lines += [f"  {name}:", *(f"    {each}" for each in (value if isinstance(value, list) else [value]))]
    return lines


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        if any(isinstance(each, dict) for each in value.values()):
            return f"{len(value)} (each: --format json)"
        return ", ".join(f"{name} {number}" for name, number in value.items())
    return str(value)
