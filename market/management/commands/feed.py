"""Steers the feed of a world."""

from __future__ import annotations

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from market import worlds
from market.errors import MarketError
from market.feed import steer


class Command(BaseCommand):
    help = (
        "Look at the feed of a world, and steer it while it runs.\n\n"
        "  manage.py feed status --world seeded\n"
        "  manage.py feed pause | resume\n"
        "  manage.py feed speed 60 --world replay:rb1910\n"
        "  manage.py feed seek 10:30 --world replay:rb1910      (or 2019-06-10T02:30:00Z)\n"
        "  manage.py feed force okx --world crypto      (without a source: the best one again)\n\n"
        "Exit codes: 0 done, 1 the feed does not run or refused, 2 wrong usage."
    )
    requires_system_checks: list[str] = []

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["status", "pause", "resume", "speed", "seek", "force"])
        parser.add_argument("value", nargs="?", help="of speed (1 to 1000), seek, and force (a source)")
        parser.add_argument("--world", default=settings.WORLD, help="slug, or replay:<recording>")
        parser.add_argument("--format", choices=["table", "json"], default="table")

    def handle(self, *, action: str, value: str | None, world: str, format: str, **_: Any) -> None:
        try:
            facts = steer.do(worlds.resolve(world).number, action, value)
        except MarketError as error:
            raise CommandError(error.detail, returncode=1) from error
        self.stdout.write(json.dumps(facts) if format == "json" else steer.table(facts))
