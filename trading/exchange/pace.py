"""How often a portfolio may ask, whichever web workers it asks. Pure.

Each web worker counts by itself (accounts.limits) and says with a request which rate it holds; only here do
the requests of all of them meet. The bucket is the same, with a fifth more room: two requests that left a
worker a step apart may arrive closer together, and must not be refused for that.
"""

from __future__ import annotations

from typing import Final

from trading.engine.commands import ClosePosition, NewOrder
from trading.exchange.intake import Arrival

WINDOW_S: Final = 1.0
SLACK: Final = 0.2
ORDERS: Final = (NewOrder, ClosePosition)
KEYS_MAX: Final = 100_000  # as in accounts.limits


class Pace:
    def __init__(self) -> None:
        self._full_at: dict[tuple[int, bool], float] = {}  # when a bucket would be full again

    def admits(self, arrival: Arrival, now_s: float) -> bool:
        """One attempt of its portfolio: changes of orders count apart from orders. No rate, no limit."""
        if not arrival.rate:
            return True
        key = (arrival.body.portfolio, isinstance(arrival.body, ORDERS))
        full_at = max(self._full_at.get(key, now_s), now_s) + WINDOW_S / arrival.rate
        if full_at - now_s > WINDOW_S * (1 + SLACK) + 1e-9:
            return False
        if len(self._full_at) >= KEYS_MAX:
            self._full_at = {kept: at for kept, at in self._full_at.items() if at > now_s}
        self._full_at[key] = full_at
        return True
