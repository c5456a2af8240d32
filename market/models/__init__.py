from market.models.action import CorporateAction
from market.models.bar import Bar
from market.models.feed import FeedLease, Quarantined
from market.models.instrument import Instrument
from market.models.seeded import MarketEvent, Season, TickMark
from market.models.world import World

__all__ = [
    "Bar",
    "CorporateAction",
    "FeedLease",
    "Instrument",
    "MarketEvent",
    "Quarantined",
    "Season",
    "TickMark",
    "World",
]
