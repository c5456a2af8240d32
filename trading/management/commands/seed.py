"""Makes a world ready to be played: its row, its instruments, its running Season."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from market import worlds
from market.errors import MarketError
from trading import games


class Command(BaseCommand):
    help = (
        "Make a world and its Season ready to play. Idempotent: what exists stays as it is.\n\n"
        "  manage.py seed                            the seeded market\n"
        "  manage.py seed --world replay:binance     a recording, by short name or path\n"
        "  manage.py seed --world replay:rb1910 --rulebook plain\n\n"
        "A recording brings its venue's rulebook along, at its own date; --rulebook plays it by another,\n"
        "also in a world that exists. `manage.py rulebook venues` lists them.\n\n"
        "Exit codes: 0 ready, 1 the recording or the rulebook cannot be used, 2 wrong usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--world", default=settings.WORLD, help="seeded, or replay:<recording> (default: %(default)s)"
        )
        parser.add_argument("--rulebook", default="", help="play it by these rules (default: its venue's)")
        parser.add_argument("--format", choices=["table", "json"], default="table")

    def handle(self, *, world: str, rulebook: str, format: str, **_: Any) -> None:
        try:
            made = worlds.ensure(world, rulebook)
        except MarketError as error:
            raise CommandError(error.detail, returncode=1) from error
        season = games.ensure_season(made)
        facts = {
            "world": made.slug,
            "name": made.name,
            "instruments": made.instruments.count(),
            "rulebook": made.rulebook,
            "season": season.slug,
        }
        if format == "json":
            self.stdout.write(json.dumps(facts))
        else:
            self.stdout.write(
                f"{made.name} is ready: {facts['instruments']} instruments, rules {made.rulebook},"
                f" {season.name} is running."
            )
