"""The seeded market: see README.md. `SeededMarket` is all that others need."""

from market.simulation.events import MODEL, Event, code_hash
from market.simulation.history import HistoryBar
from market.simulation.listing import Listing, Mark
from market.simulation.saved import BadState
from market.simulation.seeded import DEPTH, SOURCE, STEP_NS, SeededMarket
from market.simulation.sessions import ALWAYS, VENUE, Sessions

__all__ = [
    "ALWAYS",
    "DEPTH",
    "MODEL",
    "SOURCE",
    "STEP_NS",
    "VENUE",
    "BadState",
    "Event",
    "HistoryBar",
    "Listing",
    "Mark",
    "SeededMarket",
    "Sessions",
    "code_hash",
]
