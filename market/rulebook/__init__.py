"""Dated rules of venues: data files, a loader, and what they say of one instrument on one day.

Pure: no Django, no clock. `load("cn_a").rules_for(instrument, day)` gives InstrumentRules,
`limits(previous_close, rules)` the day's band, `load("cn_a").hours("venue").at(world_ns)` the phase.
"""

from market.rulebook import words
from market.rulebook.book import Rulebook, UnknownRulebook, by_venue, known, limits, load, row_named
from market.rulebook.calendars import EVERY_DAY, WEEKDAYS, TradingCalendar
from market.rulebook.hours import Day, Hours, PhaseNow, as_date, as_number, local_ns
from market.rulebook.products import Product, expiry
from market.rulebook.rows import BadRulebook, Facts, Place, Row, UnknownDay, Where
from market.rulebook.rules import PERMITS, PPB, FeeRule, InstrumentRules, Permit, Phase

__all__ = [
    "EVERY_DAY",
    "PERMITS",
    "PPB",
    "WEEKDAYS",
    "BadRulebook",
    "Day",
    "Facts",
    "FeeRule",
    "Hours",
    "InstrumentRules",
    "Permit",
    "Phase",
    "PhaseNow",
    "Place",
    "Product",
    "Row",
    "Rulebook",
    "TradingCalendar",
    "UnknownDay",
    "UnknownRulebook",
    "Where",
    "as_date",
    "as_number",
    "by_venue",
    "expiry",
    "known",
    "limits",
    "load",
    "local_ns",
    "row_named",
    "words",
]
