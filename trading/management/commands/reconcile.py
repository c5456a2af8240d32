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
from trading.invariants.runs import Kind
from trading.proof.progress import bar

EXIT_BREAKS = 3
EXAMPLES = """
examples:
  manage.py reconcile                          everything of every world
  manage.py reconcile --world seeded           one world
  manage.py reconcile --incremental            what changed since the last run ended
  manage.py reconcile --since 90000            what commands after number 90000 changed
  manage.py reconcile --format json | jq .     for programs

Each world is read in one snapshot, piece by piece, beside a running exchange. `coverage` says how many
percent of portfolios, orders and cash volume were looked at.

Exit codes: 0 the books hold; 1 failed; 2 wrong usage; 3 they do not hold: what is broken is printed and
stored with its evidence (admin: Breaks), the portfolios it names are frozen by a running exchange, and a
world whose own books are in doubt serves cancels only. Nothing is ever repaired by this command.
"""


class Command(BaseCommand):
    requires_system_checks: list[str] = []
    help = "Checks every invariant of the books, in one snapshot of the database."

    def create_parser(self, *args: Any, **options: Any) -> CommandParser:
        return super().create_parser(*args, epilog=EXAMPLES, **options)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--world", help="slug of the world; every world when it is not given")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--full", action="store_true", help="everything (this is the default)")
        how.add_argument("--incremental", action="store_true", help="what changed since the last run")
        how.add_argument("--since", type=int, metavar="SEQ", help="what changed after this command")
        parser.add_argument("--format", dest="form", choices=["table", "json"], default="table")

    def handle(
        self, *, world: str | None, incremental: bool, since: int | None, form: str, **options: Any
    ) -> None:
        if since is not None and since < 0:
            raise CommandError("Commands count from 1: --since is 0 or more.", returncode=2)
        try:
            chosen = [worlds.resolve(world)] if world else list(World.objects.all())
        except UnknownWorld as error:
            raise CommandError(error.detail, returncode=2) from error
        kind = Kind.INCREMENTAL if incremental or since is not None else Kind.FULL
        reports = [invariants.reconcile(each, bar, kind=kind, since=since) for each in chosen]
        self._print(reports, form)
        if any(report.breaks for report in reports):
            sys.exit(EXIT_BREAKS)

    def _print(self, reports: list[invariants.Report], form: str) -> None:
        if form == "json":
            breaks = sum(report.breaks for report in reports)
            worlds_ = [report.as_dict() for report in reports]
            self.stdout.write(json.dumps({"breaks": breaks, "worlds": worlds_}, indent=2))
            return
        for report in reports:
            counts = ", ".join(f"{count} {name}s" for name, count in report.checked.items())
            verdict = "the books hold" if not report.breaks else f"{report.breaks} BREAKS"
            covered = ", ".join(f"{share:g} % of {name}" for name, share in report.coverage.items())
            self.stdout.write(f"{report.world.slug}: {verdict} ({counts}; looked at {covered})")
            for found in report.found:
                self.stdout.write(f"  {found.invariant:5} {found.subject}: {found.evidence}")
