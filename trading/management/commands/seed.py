"""Makes a world ready to be played: its row, its instruments, its running Season."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from market import worlds
from market.errors import MarketError
from simgame.kernel import money
from trading import games
from trading.engine.commands import MarginTerms


class Command(BaseCommand):
    help = (
        "Make a world and its Season ready to play. Idempotent: what exists stays as it is.\n\n"
        "  manage.py seed                            the seeded market\n"
        "  manage.py seed --world replay:binance     a recording, by short name or path\n"
        "  manage.py seed --world replay:rb1910 --rulebook plain\n"
        "  manage.py seed --portfolios margin --leverage 2 --shorts --interest 6\n"
        "                                            a Season with credit, short selling and contracts\n\n"
        "A Season that runs already keeps the kind of portfolio that it began with.\n"
        "A recording brings its venue's rulebook along, at its own date; --rulebook plays it by another,\n"
        "also in a world that exists. `manage.py rulebook venues` lists them.\n\n"
        "Exit codes: 0 ready, 1 the recording or the rulebook cannot be used, 2 wrong usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--world", default=settings.WORLD, help="seeded, or replay:<recording> (default: %(default)s)"
        )
        parser.add_argument("--rulebook", default="", help="play it by these rules (default: its venue's)")
        parser.add_argument("--portfolios", choices=["cash", "margin"], default="cash")
        parser.add_argument(
            "--leverage",
            type=int,
            default=1,
            help="margin: securities for N times one's own money (1 to 100)",
        )
        parser.add_argument("--shorts", action="store_true", help="margin: sell what one does not hold")
        parser.add_argument("--interest", default="0", help="margin: percent a year on what is owed")
        parser.add_argument(
            "--margin-call",
            type=int,
            default=1_800,
            help="margin: seconds of the world's time to meet a call",
        )
        parser.add_argument("--format", choices=["table", "json"], default="table")

    def handle(self, *, world: str, rulebook: str, format: str, **options: Any) -> None:
        margin = _margin_of(**options)
        try:
            made = worlds.ensure(world, rulebook)
        except MarketError as error:
            raise CommandError(error.detail, returncode=1) from error
        season = games.ensure_season(made, margin)
        facts = {
            "world": made.slug,
            "name": made.name,
            "instruments": made.instruments.count(),
            "rulebook": made.rulebook,
            "season": season.slug,
            "portfolios": season.portfolio_kind,
        }
        if format == "json":
            self.stdout.write(json.dumps(facts))
        else:
            self.stdout.write(
                f"{made.name} is ready: {facts['instruments']} instruments, rules {made.rulebook},"
                f" {season.name} is running."
            )


def _margin_of(
    *, portfolios: str, leverage: int, shorts: bool, interest: str, margin_call: int, **_: Any
) -> MarginTerms | None:
    """What the options ask of margin portfolios; None for cash portfolios."""
    if portfolios == "cash":
        if leverage != 1 or shorts or interest != "0":
            raise CommandError("--leverage, --shorts and --interest need --portfolios margin.", returncode=2)
        return None
    try:
        rate = money.parse(interest, 7)  # percent → parts per billion
    except ValueError as error:
        raise CommandError(f"--interest: {error}.", returncode=2) from error
    if not 1 <= leverage <= 100 or rate < 0 or margin_call < 0:
        raise CommandError(
            "A leverage is 1 to 100; interest and the time of a call are 0 or more.", returncode=2
        )
    return MarginTerms(leverage, shorts, rate, margin_call)
