"""`manage.py replay_journal`: fold the journal through a fresh engine, and compare."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from market import worlds
from market.errors import UnknownWorld
from market.models import World
from simgame.kernel.teaching import TeachingCommand
from trading.proof.journal import UnreadableJournal
from trading.proof.replay import NotReplayable
from trading.proof.verify import Report, replay_world

EXIT_DIFFERENT = 3
ABOUT = """Replays the journal of commands through a fresh engine, in one snapshot of the database.

  manage.py replay_journal                                every world: commands, rate, state hash
  manage.py replay_journal --verify                       and prove that the tables are what it makes
  manage.py replay_journal --world seeded --verify --from 90000 --format json

With --verify every answer, fill, transfer, account event, order, balance and position that is stored is
held against what the replay makes, and at the end the state hash (SHA-256 over the sorted rows of open
orders, balances and positions) against that of the stored rows. The first difference is printed: the
command, the table, the field, both values. It runs beside a serving exchange and changes nothing.

Always folded from the first command on; --from only leaves out the comparison of what came before, and
with --to the state at the end is not compared, because the tables know only the newest one.

Exit codes: 0 the same, 1 cannot be replayed, 2 wrong usage, 3 different.
"""


class Command(TeachingCommand):
    requires_system_checks: list[str] = []
    help = ABOUT

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--world", help="slug of the world; every world when it is not given")
        parser.add_argument("--from", dest="first", type=int, default=1, metavar="SEQ")
        parser.add_argument("--to", dest="last", type=int, default=0, metavar="SEQ")
        parser.add_argument("--verify", action="store_true", help="compare with what is stored")
        parser.add_argument("--format", dest="form", choices=["table", "json"], default="table")

    def handle(
        self, *, world: str | None, first: int, last: int, verify: bool, form: str, **options: Any
    ) -> None:
        if first < 1 or last < 0 or (last and last < first):
            raise CommandError("Commands count from 1, and --to is not before --from.", returncode=2)
        try:
            chosen = [worlds.resolve(world)] if world else list(World.objects.all())
            reports = [replay_world(each, first=first, last=last, verify=verify) for each in chosen]
        except UnknownWorld as error:
            raise CommandError(error.detail, returncode=2) from error
        except (NotReplayable, UnreadableJournal) as error:
            raise CommandError(str(error)) from error
        different = [report for report in reports if report.difference]
        if form == "json":
            shown = {"different": len(different), "worlds": [report.as_dict() for report in reports]}
            self.stdout.write(json.dumps(shown, indent=2, default=str))
        else:
            self.stdout.write("\n".join(_lines(report) for report in reports))
        if different:
            sys.exit(EXIT_DIFFERENT)


def _lines(report: Report) -> str:
    rate = report.commands / max(report.seconds, 0.001)
    lines = [
        f"{report.world}: {report.commands:,} commands and {report.heard:,} ticks between them, "
        f"{report.recoveries} starts of an exchange, {report.seconds} s ({rate:,.0f}/s)"
    ]
    if report.other_engines:
        since = ", ".join(f"{each} from command {report.engines[each]}" for each in report.other_engines)
        lines.append(f"  decided by other versions of the engine: {since}; this one is {report.engine}")
    if report.compared:
        lines.append("  compared: " + ", ".join(f"{n:,} {name}s" for name, n in report.compared.items()))
    if report.difference:
        lines.append(f"  DIFFERENT at {report.difference}")
    else:
        same = " = stored" if report.stored_hash else ""
        lines.append(f"  state hash {report.state_hash}{same}")
    return "\n".join(lines)
