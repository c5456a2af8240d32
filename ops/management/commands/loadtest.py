"""`manage.py loadtest`: orders at fixed rates, latency from the moment they were meant to leave."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from ops.load import open_load
from ops.load.bench import allow_many_files, positive_int, rates, span
from simgame.kernel.teaching import TeachingCommand

ABOUT = """Sends orders at fixed rates to a private copy of the game: its own durable PostgreSQL, feed,
exchange and one web worker (uvicorn), everything on this machine.

  manage.py loadtest                                   50, 200, 500 and 1,000 orders/s, 10 s each
  manage.py loadtest --rates 1000 --for 10m            the long run
  manage.py loadtest --rates 200,2000 --connections 128 --format json
  manage.py loadtest --rates 1000 --for 10m --fixed-prices     what waits at one price fills at once

Buys and sells in turn, in eight instruments, at prices of the last second: half can fill, half rest 5 %
away. With --fixed-prices only buys, at the prices of the first second: the market moves away from them, and
the quote that comes back fills thousands.

Orders leave on a timetable, whatever the answers do, and latency counts from the moment an order was
meant to leave: a stall is charged to every order it held up. `core_share` tells how much of one core each
process took, the generator ("client") too, and how much of all cores was idle. A run of more than a minute
is shown by its minutes too; `worst_seconds` in the JSON names the seconds with the longest latencies.
Afterwards the books are reconciled. Run it on a quiet machine.

Exit codes: 0 every order was taken and the books hold; 1 something did not start; 2 wrong usage;
3 orders got errors, or the books have breaks.
"""
EXIT_PROBLEMS = 3


class Command(TeachingCommand):
    help = ABOUT
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rates", type=rates, default=[50.0, 200.0, 500.0, 1000.0], metavar="50,200,…")
        parser.add_argument("--connections", type=positive_int, default=64)
        parser.add_argument("--marketable", type=positive_int, default=50, help="percent that can fill")
        parser.add_argument("--fixed-prices", action="store_true", help=open_load.FIXED_HELP)
        parser.add_argument("--seconds", "--for", type=span, default=10.0, help="of each rate: 90s, 10m …")
        parser.add_argument("--format", choices=["json", "table"], default="table")

    def handle(self, *, format: str, **options: Any) -> None:
        allow_many_files()
        wanted = ("rates", "seconds", "connections", "marketable", "fixed_prices")
        asked = {name: options[name] for name in wanted}
        try:
            found = open_load.run(**asked, say=lambda line: print(line, file=sys.stderr, flush=True))
        except RuntimeError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(found) if format == "json" else open_load.table(found))
        if found["books"]["breaks"] or any(each["errors"] for each in found["rates"]):
            sys.exit(EXIT_PROBLEMS)
