"""Both sides of every dated change there is: made from the rows themselves, so that none is forgotten.

What each row should say stands in `test_dated_rules.py`, from the published facts; here, that it says it from
its first day to its last, and not a day earlier or later.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from itertools import islice, product

import pytest

from market import rulebook
from market.rulebook.rows import Row, listed
from tests.market.test_dated_rules import Thing

DAY = timedelta(days=1)
BOUND = {
    "lot",
    "size",
    "tick",
    "cage",
    "lock",
    "auction",
    "margin",
    "contract",
    "settle",
    "band",
    "day",
    "fee",
}
CURRENCY = {"us": "USD", "crypto": "USDT", "fx": "USD"}
TRIED = 1_000  # instruments that a row is for, until one of them is bound by it


def changes(book: str) -> Iterator[tuple[Row, date, date]]:
    """Each row with a day on which it holds and the day beside it on which it does not, both ends of it."""
    found = rulebook.load(book)
    for row in found.rows:
        if row.first > found.known_from:
            yield row, row.first, row.first - DAY
        if row.last != date.max:
            yield row, row.last, row.last + DAY


@pytest.mark.parametrize("book", rulebook.known())
def test_every_row_binds_from_its_first_day_to_its_last(book: str):
    wrong = [
        f"{row.id} {inside}"
        for row, inside, outside in changes(book)
        if not _turns(book, row, inside, outside)
    ]
    assert wrong == []


def test_there_are_hundreds_of_such_days():
    assert sum(len(list(changes(book))) for book in rulebook.known()) > 400


def _turns(book: str, row: Row, inside: date, outside: date) -> bool:
    if (row.holds_on(inside), row.holds_on(outside)) != (True, False):
        return False
    if row.table not in BOUND:
        return True
    for thing in islice(things(book, row), TRIED):
        if row.id in binding(book, thing, inside):
            return row.id not in binding(book, thing, outside)
    return False


def things(book: str, row: Row) -> Iterator[Thing]:
    """Instruments that the row is for, the plainest first."""
    said = row.values
    for venue in listed(said.get("venue", list(rulebook.load(book).venues))):
        names = listed(said["product"]) if "product" in said else products(book, venue)
        special = [said["st"]] if "st" in said else [False, True]
        own = (
            listed(said.get("kinds", kinds(book))),
            listed(said.get("board", boards(book))),
            names,
            special,
        )
        for kind, board, name, st in product(*own):
            yield Thing(venue, board, kind, name, st, CURRENCY.get(book, "CNY"), 4, 3, 100)


@cache
def boards(book: str) -> tuple[str, ...]:
    return scopes(book, "board") or ("main",)


@cache
def kinds(book: str) -> tuple[str, ...]:
    return scopes(book, "kinds") or ("stock",)


@cache
def products(book: str, venue: str) -> tuple[str, ...]:
    """A few of that venue."""
    rows = rulebook.load(book).rows
    mine = [row for row in rows if venue in listed(row.values.get("venue", venue))]
    return ("", *sorted({each for row in mine for each in listed(row.values.get("product", []))})[:4])


def scopes(book: str, scope: str) -> tuple[str, ...]:
    found = {each for row in rulebook.load(book).rows for each in listed(row.values.get(scope, []))}
    return tuple(sorted(found, key=lambda each: (each not in ("main", "stock"), each)))


def binding(book: str, thing: Thing, on: date) -> frozenset[str]:
    """The rows that bind an order in it on that day; none where the book says nothing of it."""
    try:
        rules = rulebook.load(book).rules_for(thing, on)
    except rulebook.BadRulebook:
        return frozenset()
    return frozenset(rules.rows.values()) | {line.row for line in rules.fees}
