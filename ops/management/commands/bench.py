"""`manage.py bench NAME`: ours against the usual way of doing it, in the same run, as one JSON object."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.core.management.base import CommandError, CommandParser

from ops.load.bench import BENCHES
from simgame.kernel.teaching import TeachingCommand

ABOUT = """Measures a part of SimGame against the usual way of building it, on this machine, now.

  manage.py bench fanout                     frames a second to 500 sockets, against Channels' group_send
  manage.py bench engine                     orders a second through the engine alone, by mix
  manage.py bench ingest --format json       messages a second through a feed, against JSON to Redis
  manage.py bench seeded                     cost of the seeded market by the number of its instruments
  manage.py bench growth [--full]            memory and cost as books grow
  manage.py bench orders --format json       durable orders a second, against a DRF view with the ORM
  manage.py bench burn                       what four processes give that only burn an order's time
  manage.py bench cost --format json         what the front door adds to an order and to a page
  manage.py bench pages                      first paint, long tasks, script, Lighthouse, on a running game
  manage.py bench recovery --orders 100000   from kill -9 of the exchange to its next ack

Progress goes to stderr, the report to stdout: {bench, machine, seconds, ours, peer: {name, …}, ratio}.
Run it on a quiet machine; `machine.load_before` tells whether it was. Nothing is asserted.
"""


class Command(TeachingCommand):
    help = ABOUT
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        benches = parser.add_subparsers(dest="bench", required=True, metavar="|".join(BENCHES))
        for name, module in BENCHES.items():
            if find_spec(module) is None:
                continue
            bench = import_module(module)
            one = benches.add_parser(name, help=bench.HELP, description=bench.HELP)
            one.add_argument("--format", choices=["json", "table"], default="table")
            bench.add_arguments(one)

    def handle(self, *args: Any, **options: Any) -> None:
        bench = import_module(BENCHES[options["bench"]])
        try:
            result = bench.run(options, lambda line: print(line, file=sys.stderr, flush=True))
        except RuntimeError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(result) if options["format"] == "json" else _shown(bench, result))


def _shown(bench: Any, result: dict[str, Any]) -> str:
    return str(bench.table(result)) if hasattr(bench, "table") else _table(result)


def _table(result: dict[str, Any]) -> str:
    ours, peer = result["ours"], result["peer"]
    rows = [f"{'':<22}{'ours':>16}{peer['name']:>28}"]
    for key, value in ours.items():
        rows.append(f"{key:<22}{_short(value):>16}{_short(peer.get(key)):>28}")
    return "\n".join([*rows, f"{'ratio':<22}{_short(result['ratio']):>16}"])


def _short(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str("-" if value is None else value)
