"""The seeded market: see README.md. `SeededMarket` is all that others need."""

from market.simulation.history import ALWAYS, VENUE, HistoryBar, Sessions
from market.simulation.seeded import DEPTH, SOURCE, STEP_NS, BadState, Listing, SeededMarket

__all__ = [
    "ALWAYS",
    "DEPTH",
    "SOURCE",
    "STEP_NS",
    "VENUE",
    "BadState",
    "HistoryBar",
    "Listing",
    "SeededMarket",
    "Sessions",
]
