"""Which recordings there are, a day drawn by lot, and what it was."""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from market import hidden, recordings, worlds
from market.errors import MarketError

EXAMPLES = """
examples:
  manage.py replay list                          the recordings that have a short name here
  manage.py replay show us_daily@2015-03-02      what one holds, and what is made up because it is missing
  manage.py replay draw                          draw a day by lot: its date and its names stay hidden
  manage.py replay draw random:ashare            from one recording, or from a folder of them
  manage.py replay reveal                        say now which day it was (else: when it is over)

Play it with `manage.py play --world replay:random`: the drawn day that is not over yet, or a new one.
Speed, pause and seek: `manage.py feed`. Exit codes: 0 done, 1 not possible, 2 wrong usage.
"""


class Command(BaseCommand):
    help = "Look at recordings, draw a hidden day of the past, reveal it."
    requires_system_checks: list[str] = []

    def create_parser(self, *args: Any, **options: Any) -> Any:
        more = {"epilog": EXAMPLES, "formatter_class": RawDescriptionHelpFormatter}
        return super().create_parser(*args, **more, **options)

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="list | show | draw | reveal")
        listed = verbs.add_parser("list", help="recordings by short name, with what each holds")
        show = verbs.add_parser("show", help="what one recording holds")
        show.add_argument("what", help="short name, path, or either with @YYYY-MM-DD, the day to begin on")
        draw = verbs.add_parser("draw", help="a world of a day drawn by lot")
        draw.add_argument(
            "what", nargs="?", type=_random, default=hidden.RANDOM, help="random, or random:<file or folder>"
        )
        reveal = verbs.add_parser("reveal", help="tell everybody which day it was")
        reveal.add_argument(
            "--world", default=settings.WORLD, help="slug, or replay:random (default: the world)"
        )
        for verb in (listed, show, draw, reveal):
            verb.add_argument("--format", choices=["table", "json"], default="table")

    def handle(self, *, verb: str, format: str, **asked: Any) -> None:
        try:
            found = ANSWERS[verb](asked)
        except MarketError as error:
            raise CommandError(error.detail, returncode=1) from error
        self.stdout.write(
            json.dumps(found, ensure_ascii=False) if format == "json" else recordings.table(found)
        )


def _random(text: str) -> str:
    if not hidden.is_random(text):
        raise ArgumentTypeError(f"{text!r}: random, or random:<file or folder>")
    return text


ANSWERS = {
    "list": lambda asked: recordings.every(),
    "show": lambda asked: recordings.facts_of(asked["what"]),
    "draw": lambda asked: recordings.drawn(worlds.ensure(f"{worlds.REPLAY}{asked['what']}")),
    "reveal": lambda asked: hidden.reveal(worlds.resolve(asked["world"])),
}
