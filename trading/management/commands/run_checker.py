"""`manage.py run_checker`: proves the books again and again beside the exchange."""

from __future__ import annotations

import signal
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from market import worlds
from market.errors import UnknownWorld
from trading.invariants.watch import watch

EXAMPLES = """
Every few seconds it looks at all balances, positions and open orders, at what was written since, and goes
on with its round over the whole history. What is broken is kept with its evidence (admin: Breaks), said in
the log at critical, on /readyz and /metrics, and stopped: the exchange freezes the portfolio, or serves
cancels only when the world's books are in doubt. It never repairs anything.

SIGTERM ends it after the pass under way. Exit codes: 0 stopped as asked, 1 failed, 2 wrong usage.
"""


class Command(BaseCommand):
    requires_system_checks: list[str] = []
    help = "Checks the books of every world that an exchange runs, for ever."

    def create_parser(self, *args: Any, **options: Any) -> CommandParser:
        return super().create_parser(*args, epilog=EXAMPLES, **options)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--world", help="slug of one world; all of them when it is not given")

    def handle(self, *, world: str | None, **options: Any) -> None:
        stopping = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        try:
            watch(stopping, worlds.resolve(world) if world else None)
        except UnknownWorld as error:
            raise CommandError(error.detail, returncode=2) from error
