"""`manage.py scenario`: let something happen in a seeded market."""

from __future__ import annotations

import argparse
import json
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from accounts.models import Player
from market import worlds
from simgame.kernel.errors import SimGameError
from simgame.kernel.teaching import TeachingCommand
from trading import scenarios

ABOUT = """Lets something happen in a seeded market, now: for a lesson, or to see how players and bots cope.

  manage.py scenario list
  manage.py scenario crash                                  (everything, by beta, -7 % in 10 minutes)
  manage.py scenario squeeze --symbols KTS,ORB --size 12% --seconds 120
  manage.py scenario news --symbols ALB --size -5%          (bad news)
  manage.py scenario drought --sector Energy --seconds 900
  manage.py scenario halt --symbols PWS --seconds 300       (then an auction reopens it)
  manage.py scenario resume --symbols PWS

The market writes it into its log before it happens: whoever recomputes the season has it too.

Exit codes: 0 done, 1 refused or no feed runs, 2 wrong usage.
"""


class Command(TeachingCommand):
    requires_system_checks: list[str] = []
    help = ABOUT

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=["list", *scenarios.KINDS, "resume"])
        parser.add_argument("--world", default=settings.WORLD, help="slug of a seeded world")
        parser.add_argument("--symbols", default="", help="ALB,PWS; none and no sector: all")
        parser.add_argument("--sector", default="", help="Finance, Energy, …")
        parser.add_argument("--size", type=ppm, help="how far prices go, 7%% (at most 30%%)")
        parser.add_argument("--seconds", type=int, help="how long it lasts")
        parser.add_argument("--as", dest="person", help="user name of the staff person, for the audit trail")
        parser.add_argument("--format", dest="form", choices=["table", "json"], default="table")

    def handle(self, *, kind: str, world: str, form: str, **asked: Any) -> None:
        person = Player.objects.named(asked["person"]).first() if asked["person"] else None
        if asked["person"] and person is None:
            raise CommandError(f"There is no player {asked['person']!r}.", returncode=2)
        symbols = [symbol.strip().upper() for symbol in asked["symbols"].split(",") if symbol.strip()]
        by = person.pk if person else None
        try:
            if kind == "list":
                facts: Any = scenarios.about()
            elif kind == "resume":
                facts = scenarios.end_halts(worlds.resolve(world), symbols, by=by)
            else:
                facts = scenarios.play(
                    worlds.resolve(world),
                    kind,
                    symbols=symbols,
                    sector=asked["sector"],
                    size_ppm=asked["size"],
                    seconds=asked["seconds"],
                    by=by,
                )
        except SimGameError as refusal:
            raise CommandError(f"{refusal.code}: {refusal.detail}", returncode=1) from refusal
        self.stdout.write(json.dumps(facts) if form == "json" else _words(kind, facts))


def ppm(text: str) -> int:
    """ "7%", "-2.5%" as parts per million. Raises ArgumentTypeError."""
    try:
        return round(float(text.removesuffix("%")) * 10_000)
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage: 7% or -2.5%.") from error


def _words(kind: str, facts: Any) -> str:
    if kind == "list":
        return "\n".join(
            f"{row['kind']:8} {row['size_ppm'] / 10_000:4g} %  {row['seconds']:4} s  {row['about']}"
            for row in facts
        )
    where = ", ".join(facts.get("symbols", [])) or "all instruments"
    return f"{kind} from step {facts['step']} on, event {facts['event']}: {where}."
