"""`manage.py switch`: look at the runtime switches, turn them."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from simgame.kernel.errors import SimGameError
from simgame.switches import runtime


class Command(BaseCommand):
    help = (
        "Runtime switches: every process obeys a change within a second, without a restart. "
        "Examples: switch list; switch set trading.accept_orders false; switch clear trading.order_rate"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=("text", "json"), default="text", help="how to answer")
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|set|clear")
        verbs.add_parser("list", help="every switch with its value, default and meaning")
        turn = verbs.add_parser("set", help="give a switch a value")
        turn.add_argument("key", help="as the list shows it")
        turn.add_argument("value", help="JSON: true, 250 or a text")
        clear = verbs.add_parser("clear", help="back to the default")
        clear.add_argument("key", help="as the list shows it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["verb"] == "set":
                runtime.set_value(options["key"], _value(options["value"]), "command")
            elif options["verb"] == "clear":
                runtime.clear(options["key"], "command")
        except SimGameError as refusal:
            raise CommandError(refusal.detail, returncode=2) from None
        self.stdout.write(_shown(runtime.listing(), options["format"]))


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _shown(listing: list[runtime.Setting], form: str) -> str:
    if form == "json":
        return json.dumps([setting._asdict() for setting in listing], ensure_ascii=False)
    return "\n".join(f"{s.key} = {json.dumps(s.value)}  ({s.meaning})" for s in listing)
