"""Futures products: one line of a table each (`data/*.csv`), read as rows of a rulebook.

Columns: venue, product, name, name_zh, unit, multiplier, tick, last_day (see `expiry`), band, margin,
open, close, close_today (fees: "0.01%" of the worth, or money per contract), from, to, source, source_zh.
An empty band, margin or fee is stated by rows of the book itself.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from market.rulebook.calendars import TradingCalendar
from market.rulebook.rows import BadRulebook

NEEDED = ("venue", "product", "name", "name_zh", "unit", "multiplier", "tick", "from", "source")
FEES = (("open", "open"), ("close", "close"), ("close_today", "close_today"))
FRIDAYS = {"second_friday": 1, "third_friday": 2}  # weeks after the first
TODAY_APART = ("SHFE", "INE")  # their rules tell today's position from yesterday's when closing
Values = dict[str, Any]


class Product(NamedTuple):
    """What an instrument of a product is made of."""

    venue: str
    product: str
    name: str
    name_zh: str
    multiplier: int
    tick: str
    last_day: str  # which day of the delivery month: see `expiry`


def rows(path: Path) -> dict[str, list[Values]]:
    """table → rows. Raises BadRulebook that names the line."""
    made: dict[str, list[Values]] = {"contract": [], "band": [], "margin": [], "fee": []}
    for line in _lines(path):
        scope: Values = {"venue": line["venue"], "product": line["product"]}
        scope |= {"from": date.fromisoformat(line["from"]), "source": line["source"]}
        scope |= {"source_zh": line["source_zh"] or line["source"]}
        if line["to"]:
            scope["to"] = date.fromisoformat(line["to"])
        made["contract"].append(scope | _contract(line))
        if line["band"]:
            made["band"].append(scope | {"rate": line["band"], "of": "settlement"})
        if line["margin"]:
            rates = ("margin_long", "margin_short", "maintenance_long", "maintenance_short")
            made["margin"].append(scope | dict.fromkeys(rates, line["margin"]) | {"short_allowed": True})
        for column, effect in FEES:
            if fee := line[column]:
                asked = {"rate": fee} if fee.endswith("%") else {"unit": fee}
                made["fee"].append(scope | {"name": "commission", "side": "both", "effect": effect} | asked)
    return made


def products(path: Path) -> dict[tuple[str, str], Product]:
    """(venue, product) → the product, in its newest terms."""
    found = {}
    for line in sorted(_lines(path), key=_from):
        facts = (line["name"], line["name_zh"], int(line["multiplier"]), line["tick"], line["last_day"])
        found[line["venue"], line["product"]] = Product(line["venue"], line["product"], *facts)
    return found


def expiry(last_day: str, year: int, month: int, calendar: TradingCalendar) -> date | None:
    """The last trading day of the contract of that delivery month; None where the table does not say.

    15th (or the next trading day) | third_friday, second_friday (or the next trading day) |
    10th_day (tenth trading day of the month) | month_before (last trading day of the month before).
    """
    first = date(year, month, 1)
    if last_day == "15th":
        return calendar.on_or_after(first.replace(day=15))
    if last_day in FRIDAYS:
        friday = first + timedelta(days=(4 - first.weekday()) % 7 + 7 * FRIDAYS[last_day])
        return calendar.on_or_after(friday)
    if last_day == "month_before":
        return calendar.before(first)
    if last_day != "10th_day":
        return None
    day = calendar.on_or_after(first)
    for _ in range(9):
        day = calendar.after(day)
    return day


def _from(line: Mapping[str, str]) -> str:
    return line["from"]


def _contract(line: Mapping[str, str]) -> Values:
    return {
        "title": line["name"],
        "title_zh": line["name_zh"],
        "unit": line["unit"],
        "multiplier": int(line["multiplier"]),
        "tick": line["tick"],
        "last_day": line["last_day"],
        "close_today_apart": line["venue"] in TODAY_APART,
    }


def _lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as text:
        lines = list(csv.DictReader(text))
    for number, line in enumerate(lines, 2):
        missing = [name for name in NEEDED if not line.get(name)]
        if missing or None in line.values():
            raise BadRulebook(f"{path.name}:{number}: {', '.join(missing) or 'a column'} is missing.")
    return lines
