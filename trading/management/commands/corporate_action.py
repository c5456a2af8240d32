"""`manage.py corporate_action`: announce, preview, apply, reverse and list corporate actions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.models import Player
from market import worlds
from market.models import CorporateAction, World
from simgame.kernel.errors import SimGameError
from simgame.kernel.teaching import TeachingCommand
from trading import announcements, corporate, proposals, shown
from trading.rehearsal import rehearse

ABOUT = """Corporate actions: dividends, splits, bonus shares, rights, new names, delistings.

  manage.py corporate_action add --key lkb-2026 --symbol LKB --kind dividend --amount 0.385 \\
                                 --ex-on 2026-11-30 --pay-on 2026-12-02
  manage.py corporate_action add --key lkb-10for1 --symbol LKB --kind split --ratio 10:1 --ex-on 2026-11-30
  manage.py corporate_action add --key lkb-rights --symbol LKB --kind rights --ratio 3:10 --price 8.00 \\
                                 --ex-on 2026-11-30 --last-on 2026-12-11
  manage.py corporate_action add --csv actions.csv        columns: key, symbol, kind, amount, ratio, price,
                                                          into, record_on, ex_on, pay_on, last_on,
                                                          unused, note
  manage.py corporate_action preview --key lkb-10for1     who gets what, orders, ranks; nothing is changed
  manage.py corporate_action list --format json

The exchange applies an action by itself when the market day of its ex-date begins. `apply` does it now.
`reverse` proposes to take an applied one back, at a fair price for shares sold meanwhile; another person
approves it (`manage.py repair approve`). An announcement that is not applied yet is withdrawn at once.

Exit codes: 0 done, 1 refused, 2 wrong usage.
"""


class Command(TeachingCommand):
    requires_system_checks: list[str] = []
    help = ABOUT

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("verb", choices=list(VERBS))
        parser.add_argument("--world", default="seeded", help="slug of the world (default: seeded)")
        parser.add_argument("--format", dest="form", choices=["table", "json"], default="table")
        parser.add_argument("--as", dest="person", help="user name of the staff person who does it")
        parser.add_argument("--reason", default="", help="reverse: why; the players read it")
        parser.add_argument(
            "--fair", default="", help="reverse: fair price of shares that were sold meanwhile"
        )
        parser.add_argument("--house-pays", action="store_true", help="reverse: what players cannot pay back")
        parser.add_argument("--csv", help="add: a file of announcements instead of one")
        for name in announcements.COLUMNS:
            parser.add_argument(f"--{name.replace('_', '-')}", dest=name)

    def handle(self, *, verb: str, world: str, form: str, **options: Any) -> None:
        try:
            answer = VERBS[verb](worlds.resolve(world), options)
        except SimGameError as refusal:
            raise CommandError(f"{refusal.code}: {refusal.detail}", returncode=1) from refusal
        self.stdout.write(
            json.dumps(answer, indent=2, default=str) if form == "json" else shown.table(answer)
        )


def _person(options: dict[str, Any]) -> Player | None:
    name = options["person"]
    found = Player.objects.named(name).first() if name else None
    if name and found is None:
        raise CommandError(f"There is no player {name!r}.", returncode=2)
    return found


def _action(world: World, options: dict[str, Any]) -> CorporateAction:
    if not options["key"]:
        raise CommandError("Name the action with --key.", returncode=2)
    return corporate.named(world, options["key"])


def _add(world: World, options: dict[str, Any]) -> Any:
    person = _person(options)
    by = person.pk if person else None
    if options["csv"]:
        path = Path(options["csv"])
        if not path.is_file():
            raise CommandError(f"There is no file {path}.", returncode=2)
        with path.open(encoding="utf-8-sig", newline="") as lines:
            made, known = announcements.import_csv(world, lines, by=by)
        return {"announced": made, "known": known}
    return shown.action(corporate.announce(world, by=by, **announcements.facts_of(world, options)))


def _preview(world: World, options: dict[str, Any]) -> Any:
    action = _action(world, options)
    return rehearse(world, corporate.command_now(action)).as_dict()


def _apply(world: World, options: dict[str, Any]) -> Any:
    person = _person(options)
    reply = corporate.apply(_action(world, options), by=person.pk if person else None)
    return {"outcome": reply.outcome, **reply.result}


def _withdraw(world: World, options: dict[str, Any]) -> Any:
    person = _person(options)
    action = _action(world, options)
    corporate.withdraw(action, by=person.pk if person else None)
    return {"key": action.key, "status": "withdrawn"}


def _reverse(world: World, options: dict[str, Any]) -> Any:
    person = _person(options)
    if person is None:
        raise CommandError("Say who proposes it with --as.", returncode=2)
    action = _action(world, options)
    payload = {
        "key": action.key,
        "symbol": action.instrument.symbol,
        "price": options["fair"],
        "house_pays": options["house_pays"],
    }
    return shown.proposal(proposals.propose(world, "reverse_action", payload, options["reason"], by=person))


def _list(world: World, options: dict[str, Any]) -> Any:
    statuses = corporate.statuses(world.number)
    rows = CorporateAction.objects.filter(world=world).select_related("instrument", "into")
    return [shown.action(each, statuses) for each in rows]


VERBS: dict[str, Callable[[World, dict[str, Any]], Any]] = {
    "add": _add,
    "preview": _preview,
    "apply": _apply,
    "withdraw": _withdraw,
    "reverse": _reverse,
    "list": _list,
}
