"""Runs the feed of one world."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from market import worlds
from market.errors import MarketError
from market.feed import run
from simgame.kernel.teaching import TeachingCommand


class Command(TeachingCommand):
    help = (
        "Run the feed of a world until SIGTERM: source, quality gate, write-ahead log, bars, and the\n"
        "links to exchange and web.\n\n"
        "  manage.py run_feed --world seeded\n"
        "  manage.py run_feed --world replay:binance --speed 10\n\n"
        "A second feed of the same world takes over and this one leaves. Steer it with `manage.py feed`.\n"
        "Exit codes: 0 stopped, 1 failed, 2 wrong usage."
    )

    requires_system_checks: list[str] = []  # they import every page: the feed needs none

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--world", default=settings.WORLD, help="slug, or replay:<recording>")
        parser.add_argument("--speed", type=int, help="world seconds per second, 1 to 1000 (replays)")
        parser.add_argument("--seed", type=int, help="of the seeded market, instead of the world's own")

    def handle(self, *, world: str, speed: int | None, seed: int | None, **_: Any) -> None:
        try:
            run.until_stopped(worlds.resolve(world), speed=speed, seed=seed)
        except MarketError as error:
            raise CommandError(error.detail, returncode=1) from error
        except OSError as error:
            where = f"Its write-ahead log lies in {settings.WAL_DIR}."
            raise CommandError(f"The feed cannot go on: {error}. {where}", returncode=1) from error
