"""Which days a venue trades: tables of closed days (`data/calendars/*.csv`), each with its source.

A calendar knows the years between its first and its last day. Beyond them weekdays are taken for
trading days, and `knows` says that this is not known.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import msgspec

from market.rulebook.rows import BadRulebook

DATA = Path(__file__).parent / "data" / "calendars"
CLOSED, HALF, KNOWN = "closed", "half", "known"
DAY = timedelta(days=1)
LOOKED_AHEAD = 40  # days: no venue is closed that long


class Holiday(msgspec.Struct, frozen=True):
    first: date
    last: date
    name: str
    name_zh: str
    source: str


class TradingCalendar:
    """Trading days of one venue. Immutable; `load` keeps one per name."""

    def __init__(self, name: str, weekdays: Iterable[int], holidays: Iterable[tuple[str, Holiday]] = ()):
        self.name = name
        self.weekdays = frozenset(weekdays)
        self.closed: dict[date, Holiday] = {}
        self.half: dict[date, Holiday] = {}
        self.known_from, self.known_to = date.min, date.max
        for what, holiday in holidays:
            if what == KNOWN:
                self.known_from, self.known_to = holiday.first, holiday.last
                continue
            days = self.closed if what == CLOSED else self.half
            for n in range((holiday.last - holiday.first).days + 1):
                days[holiday.first + n * DAY] = holiday

    def knows(self, day: date) -> bool:
        return self.known_from <= day <= self.known_to

    def is_open(self, day: date) -> bool:
        return day.weekday() in self.weekdays and day not in self.closed

    def is_half(self, day: date) -> bool:
        return day in self.half

    def on_or_after(self, day: date) -> date:
        """The first trading day from `day` on."""
        return next(each for each in _days(day, DAY) if self.is_open(each))

    def after(self, day: date) -> date:
        return self.on_or_after(day + DAY)

    def before(self, day: date) -> date:
        """The last trading day before `day`."""
        return next(each for each in _days(day - DAY, -DAY) if self.is_open(each))

    def trading_days(self, first: date, last: date) -> int:
        """How many trading days lie from `first` up to, and without, `last`."""
        return sum(self.is_open(first + n * DAY) for n in range((last - first).days))

    def eve_of_holiday(self, day: date) -> bool:
        """Whether more than an ordinary weekend lies between `day` and the next trading day."""
        following = day + DAY
        while following.weekday() not in self.weekdays:
            following += DAY
        return not self.is_open(following)

    def why(self, day: date) -> str:
        """What the day is, in words: for people who ask."""
        if holiday := self.closed.get(day):
            return f"closed: {holiday.name} ({holiday.source})"
        if day.weekday() not in self.weekdays:
            return "closed: weekend"
        if not self.knows(day):
            return f"not known: the calendar {self.name!r} knows {self.known_from} to {self.known_to}"
        if holiday := self.half.get(day):
            return f"half day: {holiday.name} ({holiday.source})"
        return "trading day"


def _days(first: date, step: timedelta) -> Iterable[date]:
    return (first + n * step for n in range(LOOKED_AHEAD))


EVERY_DAY = TradingCalendar("always", range(7))
WEEKDAYS = TradingCalendar("weekdays", range(5))


@cache
def load(name: str) -> TradingCalendar:
    """`always`, `weekdays`, or a table by its name. Raises BadRulebook."""
    for made in (EVERY_DAY, WEEKDAYS):
        if made.name == name:
            return made
    path = DATA / f"{name}.csv"
    if not path.is_file():
        raise BadRulebook(f"There is no calendar {name!r}.")
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            holidays = [(row["what"], _holiday(row)) for row in csv.DictReader(lines)]
    except (KeyError, ValueError, TypeError) as error:
        raise BadRulebook(f"{path.name}: {error}") from error
    return TradingCalendar(name, range(5), holidays)


def _holiday(row: dict[str, str]) -> Holiday:
    first, last = date.fromisoformat(row["first"]), date.fromisoformat(row["last"])
    return Holiday(first, last, row["name"], row["name_zh"], row["source"])
