"""A venue's rules as dated rows (`data/*.toml`), and what they say of one instrument on one day."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import msgspec

from market.rulebook.hours import Hours
from market.rulebook.rules import PPB, FeeRule, InstrumentRules
from simgame.kernel import money

DATA = Path(__file__).parent / "data"
QTY_MAX_LOTS = 1_000_000  # per order: the exchanges' 1,000,000 shares, in units that fit every instrument


class UnknownRulebook(LookupError):
    """There is no rulebook of this name."""


class BadRulebook(ValueError):
    """A rulebook file cannot be used; says which row and why."""


class Facts(Protocol):
    """What a rulebook needs to know of an instrument. `market.models.Instrument` has it all."""

    symbol: str
    kind: str
    board: str
    currency: str
    price_exponent: int
    qty_exponent: int
    tick: int
    lot: int
    multiplier: int
    special_treatment: bool
    listed_on: date | None
    tradable: bool
    why_not_tradable: str
    quote_age_ms_max: int


class Row(msgspec.Struct, frozen=True):
    """One dated fact: `id` names it in receipts, `source` is where it stands."""

    id: str
    table: str
    values: Mapping[str, Any]
    source: str

    def holds_for(self, facts: Facts, on: date) -> bool:
        values = self.values
        return (
            values["from"] <= on <= values.get("to", date.max)
            and values.get("board", facts.board) == facts.board
            and values.get("st", facts.special_treatment) == facts.special_treatment
            and facts.kind in values.get("kinds", (facts.kind,))
        )


class Rulebook:
    """All dated rows of one venue. Immutable; `load` keeps one per name."""

    def __init__(self, document: Mapping[str, Any]):
        self.name: str = document["name"]
        self.title: str = document["title"]
        self.timezone: str = document["timezone"]
        self.collar_ppb: int = document["market_collar_ppb"]
        self.odd_lot_sell: bool = document["odd_lot_sell"]
        self.spans = tuple((span["from"], span["phase"]) for span in document["phase"])
        self.weekdays = tuple(document.get("weekdays", range(7)))
        self.rows = tuple(_rows(document))
        self._by_id = {row.id: row for row in self.rows}

    def row(self, row_id: str) -> Row:
        return self._by_id[row_id]

    def hours(self, kept: str, timezone: str = "") -> Hours:
        """The clock of a world: `kept` is "venue" (its hours) or "always" (around the clock)."""
        spans = self.spans if kept == "venue" else (("00:00", "continuous"),)
        weekdays = self.weekdays if kept == "venue" else tuple(range(7))
        return Hours(spans, weekdays, timezone or self.timezone)

    def rules_for(self, facts: Facts, on: date) -> InstrumentRules:
        """Everything that binds an order in this instrument on the market day `on`.

        Raises BadRulebook when the book says nothing about lots for the board on that day.
        """
        band, cage, lot, lock = (self._one(table, facts, on) for table in ("band", "cage", "lot", "lock"))
        if lot is None:
            raise BadRulebook(f"{self.name}: no row [[lot]] for board {facts.board!r} on {on}.")
        free = self._one("free_days", facts, on)
        if free and facts.listed_on and _weekdays_since(facts.listed_on, on) < free.values["days"]:
            band = None
        unit = 10**facts.qty_exponent
        multiple = lot.values["multiple"] * unit if "multiple" in lot.values else facts.lot
        chosen = {"band": band, "cage": cage, "lot": lot, "lock": lock, "free_days": free}
        return InstrumentRules(
            symbol=facts.symbol,
            asset=facts.symbol,
            currency=facts.currency,
            cash_exponent=money.CURRENCY_EXPONENT[facts.currency],
            price_exponent=facts.price_exponent,
            qty_exponent=facts.qty_exponent,
            multiplier=facts.multiplier,
            tick=facts.tick,
            lot=multiple,
            least_qty=lot.values["least"] * unit if "least" in lot.values else multiple,
            odd_lot_sell=self.odd_lot_sell,
            qty_max=facts.lot * QTY_MAX_LOTS,
            band_ppb=band.values["rate_ppb"] if band else 0,
            cage_ppb=cage.values["rate_ppb"] if cage else 0,
            cage_ticks=cage.values["ticks"] if cage else 0,
            lock_days=lock.values["days"] if lock else 0,
            fees=tuple(self._fees(facts, on)),
            rows={name: row.id for name, row in chosen.items() if row is not None},
            collar_ppb=self.collar_ppb,
            tradable=facts.tradable,
            why_not_tradable=facts.why_not_tradable,
            quote_age_ns_max=facts.quote_age_ms_max * 1_000_000,
        )

    def _one(self, table: str, facts: Facts, on: date) -> Row | None:
        """The row of `table` that binds on that day; the latest begun wins."""
        fitting = [row for row in self.rows if row.table == table and row.holds_for(facts, on)]
        return max(fitting, key=lambda row: row.values["from"], default=None)

    def _fees(self, facts: Facts, on: date) -> Iterable[FeeRule]:
        for row in self.rows:
            if row.table == "fee" and row.holds_for(facts, on):
                least = money.parse(row.values.get("least", 0), money.CURRENCY_EXPONENT[facts.currency])
                values = row.values
                yield FeeRule(values["name"], values["side"], values["rate_ppb"], least, row.id)


def limits(previous_close: int, rules: InstrumentRules) -> tuple[int, int]:
    """The day's price band (low, high): previous close x (1 ± rate), rounded half up to the tick.

    (0, 0) when there is no band or no previous close. A band is at least one tick wide.
    Source: SZSE trading rules §3.3.14.
    """
    if not rules.band_ppb or not previous_close:
        return 0, 0
    step = rules.tick * PPB
    low = money.half_up(previous_close * (PPB - rules.band_ppb), step) * rules.tick
    high = money.half_up(previous_close * (PPB + rules.band_ppb), step) * rules.tick
    return max(rules.tick, min(low, previous_close - rules.tick)), max(high, previous_close + rules.tick)


@cache
def load(name: str) -> Rulebook:
    """The rulebook of this name. Raises UnknownRulebook or BadRulebook with one clear sentence."""
    path = DATA / f"{name}.toml"
    if not path.is_file():
        raise UnknownRulebook(f"There is no rulebook {name!r}. Known: {', '.join(known())}.")
    try:
        return Rulebook(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise BadRulebook(f"{path.name}: {error}") from error


def known() -> list[str]:
    return sorted(path.stem for path in DATA.glob("*.toml"))


def _rows(document: Mapping[str, Any]) -> Iterable[Row]:
    for table in ("band", "free_days", "cage", "lot", "lock", "fee"):
        for values in document.get(table, ()):
            parts = [
                document["name"],
                table,
                values.get("name"),
                values.get("board"),
                *values.get("kinds", ()),
            ]
            parts += ["st"] if values.get("st") else []
            row_id = ".".join([*(part for part in parts if part), values["from"].isoformat()])
            yield Row(row_id, table, values, values["source"])


def _weekdays_since(first: date, day: date) -> int:
    """Weekdays from `first` (0 on that day) to `day`: trading days as far as no holiday is known."""
    return sum(1 for n in range((day - first).days) if date.fromordinal(first.toordinal() + n).weekday() < 5)
