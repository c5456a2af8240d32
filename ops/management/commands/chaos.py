"""`manage.py chaos exchange`: break everything under load, again and again, and prove that no ack lied."""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from ops.chaos import faults
from ops.chaos.drill import Drill, remove
from ops.chaos.report import table
from ops.chaos.town import InVain
from ops.load.bench import positive, positive_int
from simgame import env
from simgame.embedded import ServiceFailed
from simgame.kernel.teaching import TeachingCommand

EXIT_FINDINGS, EXIT_INTERRUPTED = 3, 130
NOT_OURS = ("DATABASE_URL", "REDIS_URL", "SIMGAME_FAILPOINTS", "SIMGAME_WORLD")
SETTINGS = {
    "SIMGAME_ORDER_RATE": "1000000",
    "SIMGAME_REQUEST_RATE": "1000000",
    "SIMGAME_ADDRESS_RATE": "1000000",
    "SIMGAME_START_CASH": "10000000",
    "SIMGAME_REPLAY_SPEED": "400",
    "SIMGAME_LOG_LEVEL": "INFO",
    "PYTHONUNBUFFERED": "1",
}
ABOUT = """Breaks a running exchange again and again, and looks every acknowledgement up.

  manage.py chaos exchange --cycles 20                       every fault in turn, by chance
  manage.py chaos exchange --cycles 200 --faults failpoints,kills --seed 7
  manage.py chaos exchange --faults paused-writer --cycles 20 --format json

A private home gets a durable PostgreSQL, Valkey, a feed whose market days take half a minute, an
exchange and a web worker. Players in another process order over HTTP; before and after each call they
write down, fsynced, what they wish and what they are told. After each fault the load pauses and the
judge compares: nothing acked is lost, changed or doubled; nothing "surely not executed" happened; the
invariants hold; one order of epochs; memory and rows have one hash; each socket got each event once.

The seed repeats the schedule (which fault, in which cycle, after how many batches or milliseconds).
Ctrl-C ends everything cleanly, and reports what was seen until then (exit code 130).

Exit codes: 0 nothing found, 1 it could not run, 2 wrong usage, 3 findings (the home is kept: acks,
logs, databases, findings.json).

faults, by group:
"""


class Command(TeachingCommand):
    help = ABOUT + "\n".join(f"  {f.group:<17}{f.name:<24}{f.says}" for f in faults.FAULTS.values())
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("drill", choices=["exchange"])
        parser.add_argument("--cycles", type=positive_int, default=20)
        parser.add_argument("--seed", type=int, help="repeats a schedule (default: a new one, printed)")
        parser.add_argument(
            "--faults", default="all", help="names and groups, comma-separated (default: all)"
        )
        parser.add_argument("--rate", type=positive, default=120.0, help="wishes a second over all players")
        parser.add_argument("--players", type=positive_int, default=12)
        parser.add_argument("--format", choices=["json", "table"], default="table")
        parser.add_argument("--keep", action="store_true", help="keep the home also when nothing was found")
        parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)  # given by ourselves, see `_move`

    def handle(self, **options: Any) -> None:
        try:
            options["faults"] = faults.chosen(options["faults"])
        except ValueError as error:
            raise CommandError(str(error), returncode=2) from error
        home: Path | None = options["home"]
        if home is None or home.resolve() != settings.HOME:
            _move(options)
        drill = Drill(settings.HOME, options)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, drill.interrupt)
        try:
            report = drill.run()
        except (InVain, ServiceFailed) as error:
            raise CommandError(f"{error} (evidence: {settings.HOME})") from error
        except KeyboardInterrupt:
            self.stderr.write("\nstopped: nothing is left running")
            remove(settings.HOME)
            sys.exit(EXIT_INTERRUPTED)
        kept = options["keep"] or report["findings"]
        if not kept:
            remove(settings.HOME)
        report["home"] = str(settings.HOME) if kept else None
        self.stdout.write(json.dumps(report, default=str) if options["format"] == "json" else table(report))
        if report["findings"]:
            sys.exit(EXIT_FINDINGS)
        if report["interrupted"]:
            sys.exit(EXIT_INTERRUPTED)


def _move(options: dict[str, Any]) -> None:
    """Run again with a home of its own: settings are read once, at the start of a process."""
    home = options["home"] or Path(tempfile.mkdtemp(prefix="simgame-chaos-"))
    home.mkdir(exist_ok=True)
    home.chmod(0o755)  # PostgreSQL may run as another user
    seed = random.SystemRandom().randrange(1_000_000) if options["seed"] is None else options["seed"]
    words = ["chaos", "exchange", "--home", str(home), "--faults", ",".join(options["faults"])]
    for name in ("cycles", "rate", "players", "format"):
        words += [f"--{name}", str(options[name])]
    words += ["--seed", str(seed), *(["--keep"] if options["keep"] else [])]
    clean = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    clean |= SETTINGS | {"SIMGAME_HOME": str(home), "DJANGO_SETTINGS_MODULE": "simgame.settings"}
    print(f"seed {seed}, home {home}", file=sys.stderr, flush=True)
    os.execve(sys.executable, [sys.executable, str(env.BASE_DIR / "manage.py"), *words], clean)
