"""`manage.py reconcile`: prove the books."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from market import worlds
from market.errors import UnknownWorld
from market.models import World
from trading import invariants

EXIT_BREAKS = 3
EXAMPLES = """
examples:
  manage.py reconcile                          every world, one line per invariant
  manage.py reconcile --world seeded           one world
  manage.py reconcile --format json | jq .     for programs

Exit code 0: the books hold. 3: they do not; what is broken is printed and stored (admin:
Reconciliations), and the portfolios it names are frozen (cancel-only) by a running exchange.
Nothing is ever repaired by this command.
"""


class Command(BaseCommand):
    requires_system_checks: list[str] = []
    help = "Checks every invariant of the books over everything, in one snapshot of the database."

    def create_parser(self, *args: Any, **options: Any) -> CommandParser:
        return super().create_parser(*args, epilog=EXAMPLES, **options)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--world", help="slug of the world; every world when it is not given")
        parser.add_argument("--format", dest="form", choices=["table", "json"], default="table")

    def handle(self, *, world: str | None, form: str, **options: Any) -> None:
        try:
            chosen = [worlds.resolve(world)] if world else list(World.objects.all())
        except UnknownWorld as error:
            raise CommandError(error.detail, returncode=2) from error
        reports = [invariants.reconcile(each, self._progress) for each in chosen]
        self._print(reports, form)
        if any(report.breaks for report in reports):
            sys.exit(EXIT_BREAKS)

    def _progress(self, line: str) -> None:
        self.stderr.write(line)

    def _print(self, reports: list[invariants.Report], form: str) -> None:
        if form == "json":
            breaks = sum(report.breaks for report in reports)
            worlds_ = [report.as_dict() for report in reports]
            self.stdout.write(json.dumps({"breaks": breaks, "worlds": worlds_}, indent=2))
            return
        for report in reports:
            counts = ", ".join(f"{count} {name}s" for name, count in report.checked.items())
            verdict = "the books hold" if not report.breaks else f"{report.breaks} BREAKS"
            self.stdout.write(f"{report.world.slug}: {verdict} ({counts})")
            for found in report.found:
                self.stdout.write(f"  {found.invariant:5} {found.subject}: {found.evidence}")
