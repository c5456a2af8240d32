"""What arrived and waits to be applied: bounded, in order of arrival. Pure.

Requests are refused when too many wait. Ticks never are: when the exchange is behind, an older
quote of an instrument gives way to its newer one, and prints stay (a print fills waiting queues).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from market.ticks import Quote, Tick

REQUESTS_PER_BITE = 32  # what is applied before the database is given something to do
TICKS_PER_BITE = 1_024
REQUESTS_WAITING_MAX = 8_192  # two to eight seconds of work: later ones are told to come again
TICKS_BEFORE_CONFLATING = 2_048


@dataclass(slots=True, eq=False)
class Arrival:
    """A request and where its answer goes."""

    body: Any
    n: int
    link: Any  # has `answer(reply)`
    rate: int = 0  # see pace


class Intake:
    def __init__(self) -> None:
        self._waiting: deque[Arrival | Tick] = deque()
        self.requests = 0
        self.ticks = 0
        self.conflated = 0  # quotes that gave way so far

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, arrival: Arrival) -> bool:
        """False when too many wait: the request is not taken."""
        if self.requests >= REQUESTS_WAITING_MAX:
            return False
        self._waiting.append(arrival)
        self.requests += 1
        return True

    def put_ticks(self, ticks: list[Tick]) -> None:
        self._waiting.extend(ticks)
        self.ticks += len(ticks)
        if self.ticks > TICKS_BEFORE_CONFLATING:
            self._conflate()

    def take(self) -> list[Arrival | Tick]:
        """The next bite, in order of arrival."""
        taken: list[Arrival | Tick] = []
        requests = ticks = 0
        while self._waiting and requests < REQUESTS_PER_BITE and ticks < TICKS_PER_BITE:
            item = self._waiting.popleft()
            taken.append(item)
            if isinstance(item, Arrival):
                requests += 1
            else:
                ticks += 1
        self.requests -= requests
        self.ticks -= ticks
        return taken

    def _conflate(self) -> None:
        newest: set[str] = set()
        kept: deque[Arrival | Tick] = deque()
        for item in reversed(self._waiting):
            if isinstance(item, Quote):
                if item.symbol in newest:
                    self.ticks -= 1
                    self.conflated += 1
                    continue
                newest.add(item.symbol)
            kept.appendleft(item)
        self._waiting = kept
