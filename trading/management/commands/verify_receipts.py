"""`manage.py verify_receipts`: every receipt computed again from the stored ticks and the rulebook."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser

from market import worlds
from market.errors import UnknownWorld
from market.models import World
from simgame.kernel.clock import NS_PER_S
from simgame.kernel.teaching import TeachingCommand
from trading.proof.journal import UnreadableJournal
from trading.proof.replay import Astray, NotReplayable
from trading.proof.verify_receipts import Report, verify

EXIT_MISTAKES = 3
ABOUT = """Computes every stored receipt again, to the last minor unit, by code that is not the engine's.

  manage.py verify_receipts                                  every world, since its first command
  manage.py verify_receipts --world seeded --since 2026-11-02
  manage.py verify_receipts --since 2026-11-02T09:30:00Z --format json

For each fill: the quote and the print that it names stood at that moment; the levels it walked held that
much, best price first and nothing better left; who rested was first in line; a print went through the
queue in order; limit, collar and band held; cash, each fee line (base, rate, least, dated rulebook row)
and the transfer of the fee are what they must be. For each order that ended: its sums are those of its
fills, and a refusal follows from its facts. For each that came to rest: its queue, and that nothing it
could take was left.

Read from the first command on, because depth and queues have a history; --since only leaves out what came
before. In one snapshot, beside a serving exchange; nothing is changed.

Exit codes: 0 every receipt holds, 1 cannot be read, 2 wrong usage, 3 mistakes (each is named).
"""


class Command(TeachingCommand):
    requires_system_checks: list[str] = []
    help = ABOUT

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--world", help="slug of the world; every world when it is not given")
        parser.add_argument("--since", default="", metavar="WHEN", help="a date or an instant, UTC")
        parser.add_argument("--format", dest="form", choices=["table", "json"], default="table")

    def handle(self, *, world: str | None, since: str, form: str, **options: Any) -> None:
        since_ns = _nanoseconds(since) if since else 0
        try:
            chosen = [worlds.resolve(world)] if world else list(World.objects.all())
            reports = [verify(each, since_ns=since_ns) for each in chosen]
        except UnknownWorld as error:
            raise CommandError(error.detail, returncode=2) from error
        except (NotReplayable, UnreadableJournal) as error:
            raise CommandError(str(error)) from error
        except Astray as error:
            raise CommandError(f"{error}. Ask `manage.py replay_journal --verify` first.") from error
        mistakes = sum(report.mistakes for report in reports)
        if form == "json":
            shown = {"mistakes": mistakes, "worlds": [report.as_dict() for report in reports]}
            self.stdout.write(json.dumps(shown, indent=2, default=str))
        else:
            self.stdout.write("\n".join(_lines(report) for report in reports))
        if mistakes:
            sys.exit(EXIT_MISTAKES)


def _nanoseconds(since: str) -> int:
    try:
        moment = datetime.fromisoformat(since)
    except ValueError as error:
        raise CommandError(f"--since {since!r} is no date: say 2026-11-02.", returncode=2) from error
    return round(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()) * NS_PER_S


def _lines(report: Report) -> str:
    verdict = "every receipt holds" if not report.mistakes else f"{report.mistakes} MISTAKES"
    head = (
        f"{report.world}: {verdict} ({report.fills:,} fills, {report.orders:,} ended orders, "
        f"{report.fee_rows} fee rows, {report.commands:,} commands, {report.ticks:,} ticks, "
        f"{report.seconds} s)"
    )
    return "\n".join([head, *(f"  {mistake}" for mistake in report.found)])
