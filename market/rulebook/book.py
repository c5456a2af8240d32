"""A venue's rules as dated rows (`data/*.toml`), and what they say of one instrument on one day."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import msgspec

from market.rulebook import calendars, products
from market.rulebook.hours import ALWAYS, Day, Hours, as_number, day_from, merged, own_phases
from market.rulebook.products import Product
from market.rulebook.rows import BadRulebook, Facts, Place, Row, UnknownDay, listed, ppb, rows_of
from market.rulebook.rules import PERMITS, PPB, FeeRule, InstrumentRules, Permit
from simgame.kernel import money

DATA = Path(__file__).parent / "data"
QTY_MAX_LOTS = 1_000_000  # per order where no row states a size: fits every instrument


class UnknownRulebook(LookupError):
    """There is no rulebook of this name."""


class Rulebook:
    """All dated rows of one book. Immutable; `load` keeps one per name."""

    def __init__(self, document: Mapping[str, Any]):
        self.name: str = document["name"]
        self.title: str = document["title"]
        self.title_zh: str = document["title_zh"]
        self.timezone: str = document["timezone"]
        self.venues: tuple[str, ...] = tuple(document["venues"])
        self.boards: dict[str, str] = dict(document.get("boards", {}))  # board → the only venue that has it
        self.known_from: date = document["known_from"]
        self.collar_ppb = ppb(document["market_collar"])
        self.odd_lot_sell: bool = document["odd_lot_sell"]
        self.calendar = calendars.load(document["calendar"])
        rows = {table: [*document.get(table, ()), *more] for table, more in _products(document).items()}
        table = document.get("products")
        self._products = products.products(DATA / table) if table else {}
        self.rows = rows_of(self.name, {**document, **rows})
        self._by_id = {row.id: row for row in self.rows}
        self._by_table: dict[str, list[Row]] = {}
        for row in self.rows:
            self._by_table.setdefault(row.table, []).append(row)
        self._check()

    @property
    def has_products(self) -> bool:
        return bool(self._products)

    def product(self, venue: str, product: str) -> Product | None:
        """The terms of a futures product."""
        return self._products.get((venue, product))

    def product_named(self, product: str) -> Product | None:
        """The same, of whichever venue trades it: no two products share a code, in either case."""
        wanted = product.lower()
        return next((found for found in self._products.values() if found.product.lower() == wanted), None)

    def row(self, row_id: str) -> Row:
        return self._by_id[row_id]

    def find(self, row_id: str) -> Row | None:
        return self._by_id.get(row_id)

    def rows_on(self, on: date) -> list[Row]:
        """Every row that holds on that day, whomever it is for."""
        return [row for row in self.rows if row.holds_on(on)]

    # --- hours --------------------------------------------------------------------------------------

    def hours(self, kept: str, timezone: str = "", instruments: Iterable[Place] = ()) -> Hours:
        """The clock of a world: `kept` is "venue" (its hours) or "always" (around the clock).

        `instruments`: those of the world, where boards have days of their own; none: every board's.
        """
        if kept != "venue":
            return Hours(lambda _: ALWAYS, calendars.EVERY_DAY, timezone or self.timezone)
        boards = list({_board(facts): facts for facts in instruments}.values())

        @lru_cache(maxsize=64)
        def day_of(on: date) -> Day:
            days = [self.day_of(facts, on) for facts in boards]
            return merged(days or self._days_on(on))

        return Hours(day_of, self.calendar, timezone or self.timezone)

    def day_of(self, facts: Place, on: date) -> Day:
        """The phases of one instrument's trading day. Raises BadRulebook."""
        return self._of(self._day_row(facts, on), on)

    def _of(self, row: Row, on: date) -> Day:
        day = day_from(row.values)
        nightless = any(row.holds_on(on) for row in self._by_table.get("no_night", ()))
        return msgspec.structs.replace(day, night=()) if nightless else day

    def _day_row(self, facts: Place, on: date) -> Row:
        half = self._one("half_day", facts, on) if self.calendar.is_half(on) else None
        row = half or self._one("day", facts, on)
        if row is None:
            raise self._nothing("day", facts, on)
        return row

    def _days_on(self, on: date) -> list[Day]:
        table = "half_day" if self.calendar.is_half(on) and "half_day" in self._by_table else "day"
        rows = self._by_table.get(table, [])
        return [self._of(row, on) for row in rows if row.holds_on(on)] or [day_from(rows[0].values)]

    @lru_cache(maxsize=64)  # noqa: B019 - books live as long as the process
    def _whole_day(self, on: date) -> Day:
        return merged(self._days_on(on))

    # --- rules --------------------------------------------------------------------------------------

    def rules_for(self, facts: Facts, on: date) -> InstrumentRules:
        """Everything that binds an order in this instrument on the market day `on`.

        Raises BadRulebook when the book says nothing about lots for the board on that day, UnknownDay
        for days before it begins.
        """
        if on < self.known_from:
            raise UnknownDay(f"{self.name}: nothing is known before {self.known_from}; {on} was asked.")
        one = {
            table: self._one(table, facts, on) for table in ("lot", "size", "tick", "cage", "lock", "auction")
        }
        one |= {table: self._one(table, facts, on) for table in ("margin", "contract", "settle", "breaker")}
        if (lot := one["lot"]) is None:
            raise self._nothing("lot", facts, on)
        day = self._day_row(facts, on)
        band = self._band(facts, on)
        said = {table: row.values if row else {} for table, row in one.items()}
        rates = {name: ppb(said["margin"].get(name, "0%")) for name in MARGIN_RATES}
        unit = 10**facts.qty_exponent
        multiple = lot.values["multiple"] * unit if "multiple" in lot.values else facts.lot
        most = said["size"].get("most", 0) * unit or facts.lot * QTY_MAX_LOTS
        small, below = (_price(said["tick"].get(name, "0"), facts) for name in ("small", "below"))
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
            odd_lot_sell=bool(lot.values.get("odd_lot_sell", self.odd_lot_sell)),
            qty_max=most,
            band_ppb=ppb(band.values["rate"]) if band else 0,
            cage_ppb=ppb(said["cage"].get("rate", "0%")),
            cage_ticks=said["cage"].get("ticks", 0),
            lock_days=said["lock"].get("days", 0),
            fees=tuple(self._fees(facts, on)),
            rows={name: row.id for name, row in {**one, "band": band, "day": day}.items() if row is not None},
            collar_ppb=self.collar_ppb,
            tradable=facts.tradable,
            why_not_tradable=facts.why_not_tradable,
            quote_age_ns_max=facts.quote_age_ms_max * 1_000_000,
            venue=facts.venue,
            board=facts.board,
            product=facts.product,
            kind=facts.kind,
            phases=own_phases(self._of(day, on), self._whole_day(on)),
            permits=self._permits(facts, on),
            auction_ties=said["auction"].get("ties", "pressure"),
            band_down_ppb=ppb(band.values["down"]) if band and "down" in band.values else 0,
            qty_max_market=said["size"].get("most_market", 0) * unit,
            tick_small=small,
            tick_small_below=below,
            is_contract=bool(said["contract"]),
            close_today_apart=said["contract"].get("close_today_apart", False),
            margin_long_ppb=rates["margin_long"],
            margin_short_ppb=rates["margin_short"],
            maintenance_long_ppb=rates["maintenance_long"],
            maintenance_short_ppb=rates["maintenance_short"],
            borrow_ppb=rates["borrow"],
            interest_ppb=rates["interest"],
            short_allowed=said["margin"].get("short_allowed", False),
            last_day=as_number(facts.expires_on) if facts.expires_on else 0,
            day_buys_max=said["size"].get("day_buys", 0) * unit,
            settle_days=said["settle"].get("days", 0),
        )

    def _band(self, facts: Facts, on: date) -> Row | None:
        """The day's price band; after a listing the first days' row instead, which may have none."""
        free = self._one("first_days", facts, on)
        if free and facts.listed_on and facts.listed_on <= on:
            days = self.calendar.trading_days(facts.listed_on, on)
            if days < free.values["days"]:
                return free if "rate" in free.values else None
        return self._one("band", facts, on)

    def breaker(self, place: Place, on: date) -> dict[str, int]:
        """When the venue halts a price by itself: {move_ppm, within_s, halt_s}; {}: never."""
        row = self._one("breaker", place, on)
        return breaker_from(row.values) if row else {}

    def breakers(self) -> list[dict[str, int]]:
        """Those of all days and places."""
        return [breaker_from(row.values) for row in self._by_table.get("breaker", ())]

    def _permits(self, facts: Place, on: date) -> dict[str, Permit]:
        found = {}
        for row in self._several("permit", facts, on):
            phase = row.values["phase"]
            found[phase] = Permit(
                enter=row.values["enter"], cancel=row.values["cancel"], match=PERMITS[phase].match
            )
        return found

    def _fees(self, facts: Facts, on: date) -> Iterable[FeeRule]:
        exponent = money.CURRENCY_EXPONENT[facts.currency]
        for row in self._several("fee", facts, on):
            values = row.values
            unit_ppb = money.parse(values.get("unit", 0), exponent + 9) // 10**facts.qty_exponent
            yield FeeRule(
                values["name"],
                values["side"],
                ppb(values.get("rate", "0%")),
                money.parse(values.get("least", 0), exponent),
                row.id,
                unit_ppb,
                money.parse(values.get("most", 0), exponent),
                values.get("effect", ""),
                values.get("role", ""),
            )

    def _one(self, table: str, facts: Place, on: date) -> Row | None:
        """The row of `table` that binds on that day."""
        fitting = [row for row in self._by_table.get(table, ()) if row.holds_on(on) and row.is_for(facts)]
        return max(fitting, key=_rank, default=None)

    def _several(self, table: str, facts: Place, on: date) -> list[Row]:
        """Of a table in which several bind: of each name or phase the rows that name their holder closest."""
        best: dict[tuple[str, str], list[Row]] = {}
        for row in self._by_table.get(table, ()):
            if not (row.holds_on(on) and row.is_for(facts)):
                continue
            key = (row.name, row.values.get("phase", ""))
            closest = best.setdefault(key, [])
            if closest and closest[0].rank[0] < row.rank[0]:
                closest.clear()
            if not closest or closest[0].rank[0] == row.rank[0]:
                closest.append(row)
        return [row for rows in best.values() for row in rows]

    def _nothing(self, table: str, facts: Place, on: date) -> BadRulebook:
        return BadRulebook(
            f"{self.name}: no row [[{table}]] for board {facts.board!r} of venue {facts.venue!r} on {on}."
        )

    def _check(self) -> None:
        """What is wrong in a row is said when the book is opened, not when somebody trades."""
        for row in self.rows:
            try:
                for name in (*RATES, *MARGIN_RATES):
                    if name in row.values:
                        ppb(row.values[name])
                if row.table in ("day", "half_day"):
                    day_from(row.values)
                if row.table == "breaker":
                    breaker_from(row.values)
                strange = [venue for venue in listed(row.values.get("venue", [])) if venue not in self.venues]
            except (ValueError, KeyError, TypeError) as error:
                raise BadRulebook(f"{row.id}: {error}") from error
            if strange:
                raise BadRulebook(f"{row.id}: venue {strange[0]!r} is none of {', '.join(self.venues)}.")


RATES = ("rate", "down")
MARGIN_RATES = ("margin_long", "margin_short", "maintenance_long", "maintenance_short", "borrow", "interest")


def _rank(row: Row) -> tuple[int, date]:
    return row.rank


def _board(facts: Place) -> tuple[str, str, str, str]:
    return facts.venue, facts.board, facts.kind, facts.product


def _price(text: str, facts: Facts) -> int:
    """A price step in the instrument's scale; 0 where the instrument's scale cannot hold it."""
    try:
        return money.parse(text, facts.price_exponent)
    except money.NotExact:
        return 0


def _products(document: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    table = document.get("products")
    return products.rows(DATA / table) if table else {}


def limits(previous_close: int, rules: InstrumentRules) -> tuple[int, int]:
    """The day's price band (low, high): previous close x (1 ± rate), rounded half up to the tick.

    (0, 0) when there is no band or no previous close. A band is at least one tick wide.
    Source: SZSE trading rules §3.3.14.
    """
    if not rules.band_ppb or not previous_close:
        return 0, 0
    step, down_ppb = rules.tick * PPB, rules.band_down_ppb or rules.band_ppb
    low = money.half_up(previous_close * (PPB - down_ppb), step) * rules.tick
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


@cache
def known() -> list[str]:
    return sorted(path.stem for path in DATA.glob("*.toml"))


def row_named(row_id: str) -> Row | None:
    """The row with this id, of whichever book; None for "" and for rows that are no more."""
    name = row_id.partition(".")[0]
    return load(name).find(row_id) if name in known() else None


@cache
def by_venue() -> dict[str, Rulebook]:
    """Venue → the book of its rules."""
    return {venue: book for book in map(load, known()) for venue in book.venues}


def breaker_from(values: Mapping[str, Any]) -> dict[str, int]:
    return {
        "move_ppm": ppb(values["move"]) // 1_000,
        "within_s": int(values["within_s"]),
        "halt_s": int(values["halt_s"]),
    }
