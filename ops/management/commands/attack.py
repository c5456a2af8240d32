"""`manage.py attack`: the attacks of a security catalogue against a game of its own, on loopback."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from ops.attack import run
from ops.attack.tally import ATTACKS
from ops.chaos.town import InVain
from ops.drills import private
from ops.load.bench import positive_int
from simgame.embedded import ServiceFailed
from simgame.kernel.teaching import TeachingCommand

EXIT_BROKEN = 1
ABOUT = """Attacks a game of its own and says what held.

  manage.py attack                          every attack, S5 with 1,000 rounds: some twenty minutes
  manage.py attack --short                  fewer of each, about two minutes
  manage.py attack --only S5 --rounds 100   100 rounds of 50 refreshes at once
  manage.py attack --format json --seed 7

A private home gets PostgreSQL, Valkey, a feed, an exchange and a web server; everything is on loopback, and
nothing of yours is touched. Each attack has a claim; what was asked is counted, and every breach is told.

Each attack has a time bound; one that is cut short tells what it did and has not passed.

Exit codes: 0 every claim held, 1 a breach, cut short or it could not run, 2 wrong usage.

attacks:
"""


class Command(TeachingCommand):
    help = ABOUT + "\n".join(f"  {number:<5}{ATTACKS[number].claim}" for number in run.numbers())
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--only", default=",".join(run.numbers()), help="numbers, comma-separated: S1,S12"
        )
        parser.add_argument("--rounds", type=positive_int, help="of S5 (default: 1,000; 5 with --short)")
        parser.add_argument("--short", action="store_true", help="fewer of each")
        parser.add_argument("--seed", type=int, default=1, help="the same seed asks the same")
        parser.add_argument("--format", choices=["json", "table"], default="table")

    def handle(self, **options: Any) -> None:
        chosen = [number.strip().upper() for number in options["only"].split(",")]
        if unknown := [number for number in chosen if number not in ATTACKS]:
            raise CommandError(f"There is no attack {', '.join(unknown)}: S1 to S27.", returncode=2)
        rounds = options["rounds"] or (5 if options["short"] else 1000)
        words = [
            "attack",
            "--only",
            ",".join(chosen),
            "--rounds",
            str(rounds),
            "--seed",
            str(options["seed"]),
        ]
        words += ["--format", options["format"], *(["--short"] if options["short"] else [])]
        private.move(words)
        try:
            report = run.run(chosen, full=not options["short"], rounds=rounds, seed=options["seed"])
        except (InVain, ServiceFailed) as error:
            raise CommandError(str(error)) from error
        as_json = options["format"] == "json"
        self.stdout.write(json.dumps(report, indent=2, default=str) if as_json else "\n".join(_lines(report)))
        if report["breaches"] or report["cut_short"]:
            sys.exit(EXIT_BROKEN)


def _lines(report: dict[str, Any]) -> list[str]:
    lines = []
    for each in report["attack"]:
        counted = f"{each['tried']:>8}  {each['seconds']:>6} s"
        lines.append(f"{each['number']:<4}{each['verdict']:<16}{counted}  {each['claim']}")
        lines += [f"      {breach}" for breach in each["breaches"]]
    told = f"{report['tried']:,} tried in {report['seconds']} s, seed {report['seed']}"
    if cut := report["cut_short"]:
        lines.append(f"cut short, not passed: {', '.join(cut)}")
    if report["breaches"]:
        return [*lines, told, f"{report['breaches']} breaches"]
    return [*lines, told, "what was tried held" if cut else "every claim held"]
