"""`manage.py repair`: take fills at bad prices back, fairly, by two people."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.models import Player
from market import worlds
from market.models import World
from simgame.kernel.errors import SimGameError
from simgame.kernel.teaching import TeachingCommand
from trading import proposals, repairs, shown
from trading.models import Proposal

ABOUT = """Fair repair: fills at bad prices are taken back by one command, which two people answer for.

  manage.py repair preview --fills 1099511627777 --fair 10.00          every fill, amount, order and rank
  manage.py repair preview --symbol LKB --ticks 812040-812055 --fair 10.00
  manage.py repair propose --symbol LKB --ticks 812040-812055 --fair 10.00 --as carol \\
                           --reason "A wrong price from the source at 14:31"
  manage.py repair approve 7 --as dave          another person than the one who proposed; then it is applied
  manage.py repair apply 7 --as dave            once more, when the exchange was away
  manage.py repair propose --undo 7 --as dave --reason "The price was right"     takes a bust back
  manage.py repair withdraw 7 --as carol
  manage.py repair list --format json

Halt the instrument first (`manage.py halt LKB`), so that nothing moves meanwhile. The fair price is what
shares count for that a player has sold since. What a player cannot pay back stops the repair, with a list;
with --house-pays the house pays it, and that is written down. docs/repairs.md has it step by step.

Exit codes: 0 done, 1 refused, 2 wrong usage, 3 approved but not applied (the answer says why).
"""


class Command(TeachingCommand):
    requires_system_checks: list[str] = []
    help = ABOUT

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("verb", choices=list(VERBS))
        parser.add_argument("number", nargs="?", type=int, help="of the proposal")
        parser.add_argument("--world", default="seeded", help="slug of the world (default: seeded)")
        parser.add_argument("--fills", default="", help="ids of fills, with commas: those of their receipts")
        parser.add_argument("--symbol", default="", help="with --ticks: the instrument")
        parser.add_argument("--ticks", default="", metavar="A-B", help="recall: feed sequence, first to last")
        parser.add_argument("--fair", default="", help="the fair price")
        parser.add_argument("--house-pays", action="store_true", help="what players cannot pay back")
        parser.add_argument("--undo", type=int, help="propose: the bust to take back")
        parser.add_argument("--reason", default="", help="why; the players read it")
        parser.add_argument("--as", dest="person", help="user name of the staff person")
        parser.add_argument("--format", dest="form", choices=["table", "json"], default="table")

    def handle(self, *, verb: str, world: str, form: str, **options: Any) -> None:
        try:
            answer = VERBS[verb](worlds.resolve(world), options | {"form": form})
        except SimGameError as refusal:
            raise CommandError(f"{refusal.code}: {refusal.detail}", returncode=1) from refusal
        self.stdout.write(
            json.dumps(answer, indent=2, default=str) if form == "json" else shown.table(answer)
        )
        if verb in ("approve", "apply") and answer["status"] != Proposal.Status.APPLIED:
            raise SystemExit(3)


def _person(options: dict[str, Any]) -> Player:
    found = Player.objects.named(options["person"] or "").first()
    if found is None:
        raise CommandError("Say who you are with --as: the name of a staff player.", returncode=2)
    return found


def _number(options: dict[str, Any]) -> int:
    if options["number"] is None:
        raise CommandError("Name the proposal by its number: `repair list` shows it.", returncode=2)
    return int(options["number"])


def _ticks(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    if not (first.isascii() and first.isdigit() and (last.isdigit() if dash else True) and last.isascii()):
        raise CommandError("--ticks is a number or a span such as 812040-812055.", returncode=2)
    return int(first), int(last or first)


def _payload(world: World, options: dict[str, Any]) -> dict[str, Any]:
    numbers = [part.strip() for part in options["fills"].split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() for part in numbers):
        raise CommandError("--fills are whole numbers with commas between them.", returncode=2)
    fills = [int(part) for part in numbers]
    if options["ticks"]:
        if not options["symbol"]:
            raise CommandError("--ticks needs the instrument: --symbol.", returncode=2)
        span = _ticks(options["ticks"])
        fills += [each.pk for each in repairs.of_ticks(world, options["symbol"], *span)]
    return {"fills": fills, "price": options["fair"], "house_pays": options["house_pays"]}


def _preview(world: World, options: dict[str, Any]) -> Any:
    if options["number"] is not None:
        return proposals.preview(proposals.named(options["number"])).as_dict()
    payload = _payload(world, options)
    draft = Proposal(world=world, kind="bust", payload=payload, reason=options["reason"] or "preview")
    answer = proposals.preview(draft).as_dict()
    if options["ticks"]:
        ended = repairs.orders_of_ticks(world, options["symbol"], *_ticks(options["ticks"]))
        answer["ended_by_these_ticks"] = [
            {
                "order": str(each.pk),
                "portfolio": each.portfolio_id,
                "status": each.status,
                "reason": each.reason,
            }
            for each in ended[:200]
        ]
    return answer


def _propose(world: World, options: dict[str, Any]) -> Any:
    by = _person(options)
    if options["undo"]:
        undone = proposals.named(options["undo"])
        made = proposals.propose(undone.world, "reinstate", {}, options["reason"], by=by, undoes=undone)
    else:
        made = proposals.propose(world, "bust", _payload(world, options), options["reason"], by=by)
    return shown.proposal(made)


def _approve(world: World, options: dict[str, Any]) -> Any:
    return shown.proposal(proposals.approve(_number(options), by=_person(options)))


def _apply(world: World, options: dict[str, Any]) -> Any:
    return shown.proposal(proposals.apply(_number(options), by=_person(options)))


def _withdraw(world: World, options: dict[str, Any]) -> Any:
    return shown.proposal(proposals.withdraw(_number(options), by=_person(options)))


def _list(world: World, options: dict[str, Any]) -> Any:
    names = ("id", "kind", "status", "proposed_by", "approved_by", "reason")
    rows = [shown.proposal(each) for each in proposals.every(world)[:500]]
    return rows if options["form"] == "json" else [{name: row[name] for name in names} for row in rows]


VERBS: dict[str, Callable[[World, dict[str, Any]], Any]] = {
    "preview": _preview,
    "propose": _propose,
    "approve": _approve,
    "apply": _apply,
    "withdraw": _withdraw,
    "list": _list,
}
