"""`manage.py soak [DRILL]`: a market that does not stop talking, and what a feed makes of it."""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from ops.chaos.drill import remove
from ops.chaos.town import InVain
from ops.load.bench import positive, positive_int, span
from ops.soak import report
from ops.soak.attack import Attack
from ops.soak.cuts import Cuts
from ops.soak.home import environment
from ops.soak.kills import Kills
from ops.soak.place import say
from ops.soak.short import Short
from ops.soak.steady import Steady
from ops.soak.switches import Switches
from simgame import env
from simgame.embedded import ServiceFailed
from simgame.kernel.teaching import TeachingCommand

EXIT_FINDINGS, EXIT_INTERRUPTED = 3, 130
DRILLS = {drill.name: drill for drill in (Steady, Cuts, Switches, Kills, Attack, Short)}
ABOUT = """Lets a venue of our own speak the real protocol to a real feed, and counts every message.

  manage.py soak --for 1h --rate 5000        nothing lost, queue flat, memory flat, a quarter of a core
  manage.py soak cuts --cycles 50            the network is cut: back soon, every missed trade named
  manage.py soak failover --cycles 20        the primary falls silent: the backup speaks, no trade twice
  manage.py soak kills --cycles 50           kill -9 and torn logs: numbers go on, bars are right
  manage.py soak hostile --ticks 1000000     nonsense between true ticks: no order fills, nothing stops
  manage.py soak short                       a moment of each but failover

A private home gets its own PostgreSQL and Valkey, a real feed of the world `crypto` with write-ahead log
and bars, and, where it matters, a real exchange and downstreams. The venue numbers everything it says; the
feed's log is read with a reader of the drill's own and compared number by number, and the bars row for row.

Progress goes to stderr, the report to stdout, and at every checkpoint to the file of --report: also who kills
a drill learns what it saw. Ctrl-C ends it cleanly and reports (exit code 130). Every run names its seed.

Exit codes: 0 nothing found, 1 it could not run, 2 wrong usage, 3 findings (the home is kept: logs, the feed's
write-ahead log, the database).
"""


class Command(TeachingCommand):
    help = ABOUT
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("drill", nargs="?", choices=list(DRILLS), default="steady")
        parser.add_argument("--for", type=span, default=60.0, metavar="TIME", help="steady: 90s, 10m, 1h")
        parser.add_argument("--rate", type=positive, default=5_000.0, help="messages a second")
        parser.add_argument("--symbols", type=positive_int, default=20)
        parser.add_argument("--links", type=int, default=1, help="downstreams besides exchange and Redis")
        parser.add_argument("--cycles", type=positive_int, default=50, help="cuts, kills: how many")
        parser.add_argument(
            "--long", action=argparse.BooleanOptionalAction, default=True, help="cuts of 30 s, too"
        )
        parser.add_argument("--ticks", type=positive_int, default=1_000_000, help="hostile: how many")
        parser.add_argument(
            "--seed", type=int, help="repeats what is left to chance (default: a new one, printed)"
        )
        parser.add_argument("--format", choices=["json", "table"], default="table")
        parser.add_argument("--report", type=Path, help="a file that always holds the report so far")
        parser.add_argument("--keep", action="store_true", help="keep the home also when nothing was found")
        parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)  # given by ourselves, see `_move`

    def handle(self, **options: Any) -> None:
        home: Path | None = options["home"]
        if home is None or home.resolve() != settings.HOME:
            _move(options)
        drill = DRILLS[options["drill"]](settings.HOME, options, say)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, drill.interrupt)
        try:
            found = drill.run()
        except (InVain, ServiceFailed) as error:
            raise CommandError(f"{error} (evidence: {settings.HOME})") from error
        except KeyboardInterrupt:
            self.stderr.write("\nstopped: nothing is left running")
            remove(settings.HOME)
            sys.exit(EXIT_INTERRUPTED)
        kept = options["keep"] or found["findings"]
        if not kept:
            remove(settings.HOME)
        found["home"] = str(settings.HOME) if kept else None
        self.stdout.write(
            json.dumps(found, default=str) if options["format"] == "json" else report.table(found)
        )
        if found["findings"]:
            sys.exit(EXIT_FINDINGS)
        if found["interrupted"]:
            sys.exit(EXIT_INTERRUPTED)


def _move(options: dict[str, Any]) -> None:
    """Run again with a home of its own: settings are read once, at the start of a process."""
    home = options["home"] or Path(tempfile.mkdtemp(prefix="simgame-soak-"))
    home.mkdir(exist_ok=True)
    home.chmod(0o755)  # PostgreSQL may run as another user
    seed = random.SystemRandom().randrange(1_000_000) if options["seed"] is None else options["seed"]
    report_to = (
        options["report"]
        or Path(tempfile.gettempdir()) / f"simgame-soak-{options['drill']}-{int(time.time())}.json"
    )
    words = [
        "soak",
        options["drill"],
        "--home",
        str(home),
        "--seed",
        str(seed),
        "--report",
        str(report_to.resolve()),
    ]
    for name in ("for", "rate", "symbols", "links", "cycles", "ticks", "format"):
        words += [f"--{name}", str(options[name])]
    words += [] if options["long"] else ["--no-long"]
    words += ["--keep"] if options["keep"] else []
    drill = DRILLS[options["drill"]]
    clean = environment(home, options["symbols"], sources=drill.sources, wire=drill.wire)
    print(f"seed {seed}, home {home}, report {report_to}", file=sys.stderr, flush=True)
    os.execve(sys.executable, [sys.executable, str(env.BASE_DIR / "manage.py"), *words], clean)
