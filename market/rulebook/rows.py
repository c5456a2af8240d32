"""Dated rows: what one fact of a rulebook looks like, and which of several binds.

A row says whom it is for (`venue board kinds product st`, each one or a list; missing: for all), from
when, perhaps until when, and where it stands. The row that names most binds, then the latest begun.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Protocol

import msgspec

from simgame.kernel import money

TABLES = (
    *(
        "day",
        "half_day",
        "no_night",
        "permit",
        "auction",
        "lot",
        "size",
        "tick",
        "band",
        "first_days",
        "cage",
        "breaker",
        "lock",
    ),
    *("fee", "contract", "margin", "settle", "fact"),
)
SCOPES = ("venue", "board", "kinds", "product")  # and st, which is true or false
PLAIN = frozenset((*SCOPES, "st", "from", "to", "source", "source_zh", "name"))
PERCENT_EXPONENT = 7  # "0.025%" is 250_000 parts per billion


class BadRulebook(ValueError):
    """A rulebook file cannot be used; says which row and why."""


class UnknownDay(BadRulebook):
    """The book says nothing of that day."""


class Place(Protocol):
    """Whom a row may be for."""

    @property
    def kind(self) -> str: ...
    @property
    def venue(self) -> str: ...
    @property
    def board(self) -> str: ...
    @property
    def product(self) -> str: ...
    @property
    def special_treatment(self) -> bool: ...


class Where(msgspec.Struct, frozen=True):
    """A Place by itself: of a venue, a board, a product, without an instrument."""

    venue: str = ""
    board: str = "main"
    kind: str = "stock"
    product: str = ""
    special_treatment: bool = False


class Facts(Place, Protocol):
    """What a rulebook needs to know of an instrument. `market.models.Instrument` has it all."""

    symbol: str
    currency: str
    price_exponent: int
    qty_exponent: int
    tick: int
    lot: int
    multiplier: int
    listed_on: date | None
    expires_on: date | None
    tradable: bool
    why_not_tradable: str
    quote_age_ms_max: int


class Row(msgspec.Struct, frozen=True):
    """One dated fact: `id` names it in receipts, `source` is where it stands."""

    id: str
    table: str
    values: Mapping[str, Any]
    source: str
    source_zh: str
    first: date
    last: date  # date.max: it still holds

    def holds_on(self, on: date) -> bool:
        return self.first <= on <= self.last

    def is_for(self, facts: Place) -> bool:
        values = self.values
        return (
            _meant(values, "venue", facts.venue)
            and _meant(values, "board", facts.board)
            and _meant(values, "kinds", facts.kind)
            and _meant(values, "product", facts.product)
            and values.get("st", facts.special_treatment) == facts.special_treatment
        )

    @property
    def rate_ppb(self) -> int:
        """Of a fee: the rate of the worth; 0 for one by the piece."""
        return ppb(self.values.get("rate", "0%"))

    @property
    def name(self) -> str:
        return str(self.values.get("name", ""))

    @property
    def rank(self) -> tuple[int, date]:
        """Of several rows that hold, the one with the highest rank binds."""
        return sum(scope in self.values for scope in (*SCOPES, "st")), self.first

    @property
    def key(self) -> tuple[Any, ...]:
        """Rows of one key follow each other in time."""
        said = self.values
        scopes = tuple(tuple(listed(said[scope])) if scope in said else None for scope in SCOPES)
        more = tuple(said.get(name) for name in ("st", "name", "phase", "effect", "role", "side"))
        return (self.table, *scopes, *more)


def _meant(values: Mapping[str, Any], scope: str, asked: str) -> bool:
    return scope not in values or asked in listed(values[scope])


def listed(value: Any) -> list[str]:
    return list(value) if isinstance(value, list | tuple) else [value]


def rows_of(book: str, document: Mapping[str, Any]) -> tuple[Row, ...]:
    """Every row of the document, each ending where the next of its key begins. Raises BadRulebook."""
    found = [_row(book, table, values) for table in TABLES for values in document.get(table, ())]
    found.sort(key=lambda row: row.first)
    following: dict[tuple[Any, ...], date] = {}
    ended = []
    for row in reversed(found):
        following_first = following.get(row.key, date.max)
        last = min(row.last, following_first - timedelta(days=1)) if following_first != date.max else row.last
        following[row.key] = row.first
        ended.append(msgspec.structs.replace(row, last=last))
    ended.sort(key=lambda row: (TABLES.index(row.table), row.first, row.id))
    seen: set[str] = set()
    for row in ended:
        if row.id in seen or row.first > row.last:
            raise BadRulebook(f"{row.id}: the row is there twice, or ends before it begins.")
        seen.add(row.id)
    return tuple(ended)


def _row(book: str, table: str, values: Mapping[str, Any]) -> Row:
    for needed in ("from", "source"):
        if needed not in values:
            raise BadRulebook(f"{book}: a row [[{table}]] has no {needed!r}: {dict(values)}.")
    parts = [book, table, values.get("name")]
    parts += [part for scope in ("venue", "board", "kinds", "product") for part in _short(values, scope)]
    parts += [str(values[name]) for name in ("phase", "effect", "role") if name in values]
    parts += ["st"] if values.get("st") else []
    row_id = ".".join([*(part for part in parts if part), values["from"].isoformat()])
    source_zh = values.get("source_zh", values["source"])
    last = values.get("to", date.max)
    return Row(row_id, table, values, values["source"], source_zh, values["from"], last)


def _short(values: Mapping[str, Any], scope: str) -> list[str]:
    """What an id says of a scope. `kinds = "stock"`, which most rows of a share book say, is left out."""
    return listed(values[scope]) if scope in values and values[scope] != "stock" else []


def ppb(text: str) -> int:
    """ "0.025%" → 250_000 parts per billion, exact. Raises BadRulebook."""
    if not isinstance(text, str) or not text.endswith("%"):
        raise BadRulebook(f"{text!r} is no percentage: write it like '0.025%'.")
    return money.parse(text[:-1], PERCENT_EXPONENT)
