"""`manage.py halt`: stop trading in an instrument, or let it go on."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.models import Player
from market import worlds
from simgame.kernel.errors import SimGameError
from simgame.kernel.teaching import TeachingCommand
from trading import halts

ABOUT = """Halts an instrument: its open orders wait with what they reserve, and may be canceled.

  manage.py halt LKB --reason "A wrong price from the source"
  manage.py halt LKB --resume

The reason stands on the desk and in every refusal, and whoever has orders there is told. Twice is once.

Exit codes: 0 done, 1 refused or the exchange is not running, 2 wrong usage.
"""


class Command(TeachingCommand):
    requires_system_checks: list[str] = []
    help = ABOUT

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("symbol")
        parser.add_argument("--world", default="seeded", help="slug of the world (default: seeded)")
        parser.add_argument("--resume", action="store_true", help="let it go on")
        parser.add_argument("--reason", default="")
        parser.add_argument("--as", dest="person", help="user name of the staff person, for the audit trail")
        parser.add_argument("--format", dest="form", choices=["table", "json"], default="table")

    def handle(
        self, *, symbol: str, world: str, resume: bool, reason: str, form: str, **options: Any
    ) -> None:
        person = Player.objects.named(options["person"]).first() if options["person"] else None
        if options["person"] and person is None:
            raise CommandError(f"There is no player {options['person']!r}.", returncode=2)
        ask = halts.resume if resume else halts.halt
        try:
            ask(worlds.resolve(world), symbol, reason, by=person.pk if person else None)
        except SimGameError as refusal:
            raise CommandError(f"{refusal.code}: {refusal.detail}", returncode=1) from refusal
        facts = {"symbol": symbol, "halted": not resume, "reason": reason}
        words = f"{symbol} is {'trading again' if resume else 'halted'}."
        self.stdout.write(json.dumps(facts) if form == "json" else words)
