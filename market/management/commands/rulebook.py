"""Shows the dated rules of a venue, and what changed between two days."""

from __future__ import annotations

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from market.rulebook import BadRulebook, UnknownRulebook, tables, words
from simgame.kernel import clock

EXAMPLES = """
examples:
  manage.py rulebook venues                                     every venue, and from when it is known
  manage.py rulebook show --venue SSE --date 2015-07-08         the rules of that day, each with its source
  manage.py rulebook show --venue SSE --board star              a board of it, today
  manage.py rulebook show --venue SHFE --product rb --date 2019-06-10
  manage.py rulebook show --venue cn_a --language zh-Hans       a whole book, in Chinese
  manage.py rulebook diff --venue SZSE --from 2020-08-21 --to 2020-08-24
  manage.py rulebook diff --venue US --from 2024-01-01 --to 2024-12-31 --format json | jq .

Each row names its source and the days on which it holds. Futures show one product's band, margin and
fees with --product. Exit codes: 0 shown, 2 an unknown venue or day (the message has the choices).
"""


class Command(BaseCommand):
    help = "Look at the dated rules of a venue: hours, auctions, lots, bands, fees, margins, calendars."
    requires_system_checks: list[str] = []

    def create_parser(self, *args: Any, **options: Any) -> Any:
        more = {"epilog": EXAMPLES, "formatter_class": RawDescriptionHelpFormatter}
        return super().create_parser(*args, **more, **options)

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="show | diff | venues")
        show = verbs.add_parser("show", help="the rows that hold on a day")
        show.add_argument("--date", type=_day, default=clock.now().date(), help="YYYY-MM-DD (default: today)")
        diff = verbs.add_parser("diff", help="what changed between two days")
        diff.add_argument("--from", dest="first", type=_day, required=True, help="YYYY-MM-DD")
        diff.add_argument("--to", dest="last", type=_day, required=True, help="YYYY-MM-DD")
        for verb in (show, diff):
            verb.add_argument("--venue", required=True, help="SSE, SHFE, US, …; or a whole book: cn_a")
            verb.add_argument("--board", default="", help="main, chinext, star, bse")
            verb.add_argument("--kind", default="", help="stock, etf, future, fx, crypto")
            verb.add_argument("--product", default="", help="rb, IF: of futures; bond, gold: of ETFs")
            verb.add_argument("--language", choices=words.LANGUAGES, default=words.ENGLISH)
        for verb in (show, diff, verbs.add_parser("venues", aliases=["list"], help="every venue")):
            verb.add_argument("--format", choices=["table", "json"], default="table")

    def handle(self, *, verb: str, format: str, **asked: Any) -> None:
        try:
            found, text = ANSWERS[verb](asked)
        except (UnknownRulebook, BadRulebook) as error:
            raise CommandError(str(error), returncode=2) from error
        self.stdout.write(json.dumps(found, ensure_ascii=False, indent=2) if format == "json" else text)


def _day(text: str) -> date:
    return date.fromisoformat(text)


_day.__name__ = "day (YYYY-MM-DD)"  # what argparse calls it when it refuses one


def _wanted(asked: dict[str, Any]) -> tables.Wanted:
    return tables.Wanted(asked["venue"], asked["board"], asked["kind"], asked["product"])


def _show(asked: dict[str, Any]) -> tuple[Any, str]:
    found = tables.show(_wanted(asked), asked["date"], asked["language"])
    return found, tables.text_of_show(found)


def _diff(asked: dict[str, Any]) -> tuple[Any, str]:
    found = tables.diff(_wanted(asked), asked["first"], asked["last"], asked["language"])
    return found, tables.text_of_diff(found)


def _venues(_asked: dict[str, Any]) -> tuple[Any, str]:
    found = tables.venues()
    return found, tables.text_of_venues(found)


ANSWERS: dict[str, Callable[[dict[str, Any]], tuple[Any, str]]] = {
    "show": _show,
    "diff": _diff,
    "venues": _venues,
    "list": _venues,
}
