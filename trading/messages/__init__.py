"""What a row of the books looks like on the wire."""

from pathlib import Path

from simgame.kernel import compiled

__path__ = compiled.search_path(__name__, Path(__file__).parent)

from trading.messages.events import Changes, UnknownFormat, changes_of, event_body, events_of, notices_of
from trading.messages.rows import (
    JSON,
    LEG_NAMES,
    OF_A_PORTFOLIO,
    PERCENT_EXPONENT,
    average_cost,
    average_price,
    balance_json,
    currency_of,
    event_json,
    fill_json,
    nested,
    order_json,
    position_json,
)
from trading.messages.scale import Scale, scale_of

__all__ = [
    "JSON",
    "LEG_NAMES",
    "OF_A_PORTFOLIO",
    "PERCENT_EXPONENT",
    "Changes",
    "Scale",
    "UnknownFormat",
    "average_cost",
    "average_price",
    "balance_json",
    "changes_of",
    "currency_of",
    "event_body",
    "event_json",
    "events_of",
    "fill_json",
    "nested",
    "notices_of",
    "order_json",
    "position_json",
    "scale_of",
]
