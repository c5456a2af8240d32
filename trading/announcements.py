"""Announcements as people write them: the options of a command, or the rows of a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import transaction

from market.models import CorporateAction, World
from simgame.kernel.errors import Invalid
from trading import corporate, repairs

COLUMNS = (
    "key", "symbol", "kind", "amount", "ratio", "price", "into", "record_on", "ex_on", "pay_on", "last_on",
    "unused", "note",
)  # fmt: skip
NEEDED = ("key", "symbol", "kind", "ex_on")
ROWS_MAX = 10_000


def facts_of(world: World, texts: Mapping[str, str | None]) -> dict[str, Any]:
    """The fields of a `CorporateAction`. Raises Invalid, naming the column."""
    said = {name: (texts.get(name) or "").strip() for name in COLUMNS}
    for name in NEEDED:
        if not said[name]:
            raise Invalid(f"{name} is missing.", pointer=f"/{name}")
    if said["kind"] not in CorporateAction.Kind.values:
        kinds = ", ".join(CorporateAction.Kind.values)
        raise Invalid(f"kind is one of {kinds}, not {said['kind']!r}.", pointer="/kind")
    new, old = _ratio(said["ratio"])
    return {
        "key": said["key"],
        "instrument": repairs.instrument(world, said["symbol"]),
        "kind": said["kind"],
        "amount": _decimal("amount", said["amount"]),
        "new": new,
        "old": old,
        "price": _decimal("price", said["price"]),
        "into": repairs.instrument(world, said["into"]) if said["into"] else None,
        "record_on": _day("record_on", said["record_on"]),
        "ex_on": _day("ex_on", said["ex_on"]),
        "pay_on": _day("pay_on", said["pay_on"]),
        "last_on": _day("last_on", said["last_on"]),
        "unused": said["unused"] or CorporateAction.Unused.SELL,
        "note": said["note"],
    }


def _ratio(text: str) -> tuple[int, int]:
    new, colon, old = (text or "1:1").partition(":")
    if not (colon and new.isascii() and old.isascii() and new.isdigit() and old.isdigit()):
        raise Invalid(f"ratio is new:old in whole numbers, such as 10:1, not {text!r}.", pointer="/ratio")
    return int(new), int(old)


def _decimal(name: str, text: str) -> Decimal | None:
    try:
        found = Decimal(text) if text else None
    except InvalidOperation:
        raise Invalid(f"{name} is a decimal number, not {text!r}.", pointer=f"/{name}") from None
    if found is not None and not found.is_finite():
        raise Invalid(f"{name} is a decimal number, not {text!r}.", pointer=f"/{name}")
    return found


def _day(name: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Invalid(f"{name} is a day such as 2026-11-30, not {text!r}.", pointer=f"/{name}") from None


def import_csv(world: World, lines: Iterable[str], *, by: int | None) -> tuple[int, int]:
    """(announced, known already) of a file with a header. All of it or nothing; the same file again changes
    nothing. Raises Invalid with the line.
    """
    reader = csv.DictReader(lines)
    strange = set(reader.fieldnames or ()) - set(COLUMNS)
    if strange or not set(NEEDED) <= set(reader.fieldnames or ()):
        raise Invalid(f"The columns are {', '.join(COLUMNS)}; at least {', '.join(NEEDED)}.")
    made = known = 0
    with transaction.atomic():
        for row in reader:
            if reader.line_num > ROWS_MAX:
                raise Invalid(f"At most {ROWS_MAX} rows in one file.")
            try:
                facts = facts_of(world, row)
                if _is_known(world, facts):
                    known += 1
                    continue
                corporate.announce(world, by=by, **facts)
            except Invalid as refusal:
                raise Invalid(f"Line {reader.line_num}: {refusal.detail}") from refusal
            made += 1
    return made, known


def _is_known(world: World, facts: dict[str, Any]) -> bool:
    """Raises Invalid when the key stands for something else."""
    before = CorporateAction.objects.filter(world=world, key=facts["key"]).first()
    if before is None:
        return False
    if any(getattr(before, name) != value for name, value in facts.items() if name != "note"):
        raise Invalid(f"The key {facts['key']!r} was announced with other terms.")
    return True
