"""Account events read back: what a portfolio was told, in the order in which it was told.

They are stored as rows (trading.messages.events), those of older releases as the messages themselves.
"""

from __future__ import annotations

from typing import Any

from market.queries import instruments
from trading import messages
from trading.models import AccountEvent, Portfolio

JSON = messages.JSON


def body_of(rows: str | None, body: Any, scales: dict[str, messages.Scale], world: int) -> Any:
    """The message of one event, from whichever of the two is stored; `world`: its number."""
    if rows is None:
        return body
    return messages.event_body(rows, scales.__getitem__, world)


def notices_of(rows: str | None, body: Any) -> list[JSON]:
    """What one event told in words."""
    told: list[JSON] = body["notices"] if rows is None else messages.notices_of(rows)
    return told


def bodies(portfolio: int, after: int = 0, limit: int | None = None) -> list[tuple[int, JSON]]:
    """`seq` and message of the events after `after`, oldest first."""
    found = AccountEvent.objects.filter(portfolio_id=portfolio, seq__gt=after).order_by("seq")
    stored: list[Any] = list(found.values_list("seq", "rows", "body")[:limit])
    if not stored:
        return []
    world = Portfolio.objects.values_list("game__world_id", flat=True).get(id=portfolio)
    events = {seq: messages.events_of(rows) for seq, rows, _ in stored if rows is not None}
    symbols = {row.symbol for each in events.values() for row in each if hasattr(row, "symbol")}
    scales = {row.symbol: messages.scale_of(row) for row in instruments(world).filter(symbol__in=symbols)}
    return [
        (seq, body if rows is None else messages.event_json(events[seq], scales.__getitem__, world))
        for seq, rows, body in stored
    ]
