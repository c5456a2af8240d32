"""Steers the feed of a world."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from market import worlds
from market.errors import MarketError
from market.feed import steer, turning
from simgame.kernel.teaching import TeachingCommand
from simgame.switches.errors import BadSwitchValue, UnknownSwitch


class Command(TeachingCommand):
    help = (
        "Look at the feed of a world, and steer it while it runs.\n\n"
        "  manage.py feed status --world seeded\n"
        "  manage.py feed pause | resume\n"
        "  manage.py feed speed 60 --world replay:rb1910\n"
        "  manage.py feed seek 10:30 --world replay:rb1910      (or 2019-06-10T02:30:00Z)\n"
        "  manage.py feed force okx --world crypto      (without a source: the best one again)\n"
        "  manage.py feed switch                        (all of them; also in the admin: Switches)\n"
        "  manage.py feed switch throttle 500           (messages a second; 0: no limit)\n"
        "  manage.py feed switch paused_sources 'okx'   (names, blanks between; '' for none)\n"
        "  manage.py feed switch paused_symbols 'BTC-USDT ETH-USDT'\n"
        "  manage.py feed switch depth_off true | conflate_ms 250\n\n"
        "Exit codes: 0 done, 1 the feed does not run or refused, 2 wrong usage or a value that cannot be."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = ["status", "pause", "resume", "speed", "seek", "force", "switch"]
        parser.add_argument("action", choices=actions)
        parser.add_argument("value", nargs="?", help="of speed (1 to 1000), seek, force (a source), switch")
        parser.add_argument("setting", nargs="?", help="what a switch is turned to; without one it is told")
        parser.add_argument("--world", default=settings.WORLD, help="slug, or replay:<recording>")
        parser.add_argument("--format", choices=["table", "json"], default="table")

    def handle(
        self, *, action: str, value: str | None, setting: str | None, world: str, format: str, **_: Any
    ) -> None:
        try:
            chosen = worlds.resolve(world)
            if action == "switch":
                facts = turning.do(chosen, value, setting)
            else:
                facts = steer.do(chosen.number, action, value)
        except (UnknownSwitch, BadSwitchValue) as error:
            raise CommandError(error.detail, returncode=2) from error
        except MarketError as error:
            raise CommandError(error.detail, returncode=1) from error
        self.stdout.write(json.dumps(facts) if format == "json" else steer.table(facts))
