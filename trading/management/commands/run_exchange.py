"""`manage.py run_exchange`: the process that owns a world's orders and books."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvloop
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from market import worlds
from market.errors import UnknownWorld
from trading.exchange.process import Exchange

EXAMPLES = """
It takes the world over (whoever ran it before is fenced off), reads the books, checks them, and
listens on exchange-<n>.sock in the run folder. SIGTERM ends it after the batch under way.

Exit codes: 0 stopped as asked; 1 it gave up (see the log); 2 wrong usage; 4 another exchange took
the world over. If the books do not hold it serves cancels only (state "quarantined").

SIMGAME_FAILPOINTS arms planted faults for drills: see simgame/kernel/failpoints.py.
"""


class Command(BaseCommand):
    help = "Runs the exchange of one world."
    requires_system_checks: list[str] = []  # it serves no URL, and restarts must be quick

    def create_parser(self, *args: Any, **options: Any) -> CommandParser:
        return super().create_parser(*args, epilog=EXAMPLES, **options)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--world", default=settings.WORLD, help="slug of the world (default: the setting SIMGAME_WORLD)"
        )

    def handle(self, *, world: str, **options: Any) -> None:
        try:
            exchange = Exchange(worlds.resolve(world))
        except UnknownWorld as error:
            raise CommandError(error.detail, returncode=2) from error
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            sys.exit(runner.run(exchange.run_until_signalled()))
