"""What contracts are marked to when a market day is over. Pure.

The venue's own price where a source tells it (CTP: `SettlementPrice` after the close, `PreSettlementPrice`
with every tick of the day after). Else what the clearing rules of the Shanghai Futures Exchange mean by it:
the day's prices weighted by volume ("按照成交量的加权平均价"), here half-up to the tick. A day without a
trade keeps the settlement price before it.

A venue's price that comes when the next day has begun corrects that day's reference: margin and limits follow
it from then on, and what positions were paid too much or too little comes with the next settlement.
"""

from __future__ import annotations

from collections.abc import Iterable

from market.feed.quality import Scale
from market.feed.state import WorldState
from market.sources.items import Settled
from simgame.kernel.money import half_up


class Settlement:
    """Of the instruments of one world."""

    def __init__(self, state: WorldState, instruments: Iterable[Scale]):
        self.state = state
        self.ticks = {each.symbol: each.tick for each in instruments}

    def ending(self, symbol: str) -> int:
        """Of the market day that is running, as if it ended now; 0 when nothing is known."""
        state = self.state
        day, price = state.settled.get(symbol, (0, 0))
        if state.phase is not None and day == state.phase.market_day:
            return price
        traded = state.days.get(symbol)
        if traded is not None and traded.volume:
            tick = self.ticks[symbol]
            return half_up(traded.turnover, traded.volume * tick) * tick
        reference = state.references.get(symbol)
        return reference.settlement or reference.previous_close if reference else 0

    def corrects(self, said: Settled, price: int) -> bool:
        """Whether the running day began with another price than the venue's."""
        now, reference = self.state.phase, self.state.references.get(said.symbol)
        if now is None or reference is None or price == (reference.settlement or reference.previous_close):
            return False
        return said.market_day == (now.market_day if said.opens else self.state.day_before)
