"""Sealed seasons: begins, ends and reveals them."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from market import season, worlds
from market.feed import steer
from simgame.kernel.errors import SimGameError
from simgame.kernel.teaching import TeachingCommand


class Command(TeachingCommand):
    help = (
        "A sealed season is a seeded world whose seed nobody knows while it is played. The hash of seed,\n"
        "code and rulebook is published before; the seed after; then anybody can recompute every tick.\n\n"
        "  manage.py season seal autumn-2026 --name 'Autumn 2026'  prints the hash: publish it\n"
        "  manage.py play --world autumn-2026                       play it\n"
        "  manage.py season status autumn-2026                     also: GET /api/v1/season?world=…\n"
        "  manage.py season end autumn-2026                         nothing more happens in it\n"
        "  manage.py season reveal autumn-2026                      the seed is everybody's\n"
        "  manage.py verify_season autumn-2026                      recomputes every tick\n\n"
        "Exit codes: 0 done, 1 refused or the feed does not run, 2 wrong usage."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["seal", "status", "end", "reveal"])
        parser.add_argument("world", help="slug of the season's world")
        parser.add_argument("--name", default="", help="of the world, as players read it")
        parser.add_argument("--hours", choices=["always", "venue"], default="", help="default: the setting")
        parser.add_argument("--rules", default="", help="rulebook; default: the setting")
        parser.add_argument("--format", choices=["table", "json"], default="table")

    def handle(self, *, action: str, world: str, format: str, **asked: Any) -> None:
        try:
            if action == "seal":
                found = season.seal(world, asked["name"], hours=asked["hours"], rules=asked["rules"])
            else:
                found = season.of(worlds.named(world))
            if action == "end":
                season.end(found)
            elif action == "reveal":
                season.reveal(found)
            facts = season.shown(found)
        except SimGameError as error:
            raise CommandError(f"{error.code}: {error.detail}", returncode=1) from error
        self.stdout.write(json.dumps(facts) if format == "json" else steer.table(facts))
