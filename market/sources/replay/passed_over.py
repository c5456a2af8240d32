"""What a replay does not say when it is taken forward: the trades of each market day, summed up. Pure.

A day that was passed over closes, and a contract is settled, at the prices at which it was traded.
"""

from __future__ import annotations

from collections.abc import Callable

from market.feed.state import Day
from market.rulebook import PhaseNow
from market.sources.items import Skipped
from market.ticks import Print


class PassedOver:
    """`phase_at` says the phase of a moment in world time; prints come in order, with such times."""

    def __init__(self, source: str, phase_at: Callable[[int], PhaseNow | None]):
        self._source, self._phase_at = source, phase_at
        self._market_day = self._until_ns = 0
        self._days: dict[tuple[int, str], tuple[Day, int]] = {}  # market day, symbol → trades, of the last

    def add(self, trade: Print, at_ns: int) -> None:
        if at_ns >= self._until_ns and (now := self._phase_at(at_ns)) is not None:
            self._market_day, self._until_ns = now.market_day, now.next_change_ns or at_ns + 1
        key = self._market_day, trade.symbol
        day = self._days[key][0] if key in self._days else Day()
        day.add(trade.price, trade.size)
        self._days[key] = day, at_ns

    def items(self) -> list[Skipped]:
        """One per market day and instrument, oldest first."""
        said = [Skipped(symbol, day, at_ns, self._source) for (_, symbol), (day, at_ns) in self._days.items()]
        return sorted(said, key=lambda each: each.at_ns)
