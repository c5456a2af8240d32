"""Dated rules of venues: data files, a loader, and what they say of one instrument on one day.

Pure: no Django, no clock. `load("cn_a").rules_for(instrument, day)` gives InstrumentRules,
`limits(previous_close, rules)` the day's band, `load("cn_a").hours("venue").at(world_ns)` the phase.
"""

from market.rulebook.book import BadRulebook, Facts, Row, Rulebook, UnknownRulebook, known, limits, load
from market.rulebook.hours import Hours, PhaseNow, as_date, as_number
from market.rulebook.rules import PERMITS, PPB, FeeRule, InstrumentRules, Permit, Phase

__all__ = [
    "PERMITS",
    "PPB",
    "BadRulebook",
    "Facts",
    "FeeRule",
    "Hours",
    "InstrumentRules",
    "Permit",
    "Phase",
    "PhaseNow",
    "Row",
    "Rulebook",
    "UnknownRulebook",
    "as_date",
    "as_number",
    "known",
    "limits",
    "load",
]
