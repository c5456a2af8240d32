"""Compares what a feed wants, what its venues acknowledged, and what really ticks."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import CommandError

from market import worlds
from market.errors import MarketError
from market.feed import subscribing
from market.feed.subscribing import Health
from simgame.kernel import clock
from simgame.kernel.teaching import TeachingCommand

FOUND = 3


class Command(TeachingCommand):
    help = (
        "Compare wanted, acknowledged and ticking instruments of each live source of a world.\n\n"
        "  manage.py check_feed_health --world crypto\n"
        "  manage.py check_feed_health --world crypto --repair     ask again for what is ill\n\n"
        "Exit codes: 0 all well, 1 the feed does not run, 2 wrong usage, 3 something is missing, silent or\n"
        "refused (after --repair: still)."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--world", default=settings.WORLD)
        parser.add_argument("--repair", action="store_true")
        parser.add_argument("--patience", type=float, default=10.0, help="seconds that a repair may take")
        parser.add_argument("--format", choices=["table", "json"], default="table")

    def handle(self, *, world: str, repair: bool, patience: float, format: str, **_: Any) -> None:
        try:
            number = worlds.resolve(world).number
            found = list(subscribing.health(number))
            if repair and not all(one.well for one in found):
                found = _repaired(number, found, patience)
        except MarketError as error:
            raise CommandError(error.detail, returncode=1) from error
        if format == "json":
            self.stdout.write(json.dumps([msgspec.to_builtins(one) for one in found], ensure_ascii=False))
        else:
            self._table(found)
        sys.exit(0 if all(one.well for one in found) else FOUND)

    def _table(self, found: list[Health]) -> None:
        if not found:
            self.stdout.write("This world's source has no subscriptions: a seeded market or a recording.")
        for one in found:
            verdict = "well" if one.well else "NOT WELL"
            counts = f"{one.wanted} wanted, {one.acknowledged} acknowledged, {one.ticking} ticking"
            self.stdout.write(f"{one.source}: {verdict}: {counts}")
            for word, symbols in (("missing", one.missing), ("silent", one.silent)):
                if symbols:
                    self.stdout.write(f"  {word}: {', '.join(symbols[:20])}")
            for symbol, why in one.refused.items():
                self.stdout.write(f"  refused {symbol}: {why}")


def _repaired(number: int, found: list[Health], patience_s: float) -> list[Health]:
    for one in found:
        if ill := [*one.missing, *one.silent, *one.refused]:
            subscribing.ask(number, one.source, ill)
    end_s = clock.monotonic_s() + patience_s
    while clock.monotonic_s() < end_s:
        found = list(subscribing.health(number))
        if all(one.well for one in found):
            break
        time.sleep(subscribing.LOOK_S)
    return found
