"""The last state of a world, as its ticks say it: what a snapshot and a restart need. Pure."""

from __future__ import annotations

import msgspec

from market.ticks import PhaseTick, Print, Quote, Reference, Tick

TRADES_KEPT = 50  # per instrument: the snapshot of a trades topic


class Day(msgspec.Struct):
    """Statistics of one instrument on the running market day; `last` outlives the day.

    0 means none yet. `turnover` is the sum of price x size, both scaled.
    """

    open: int = 0
    high: int = 0
    low: int = 0
    last: int = 0
    last_size: int = 0
    volume: int = 0
    turnover: int = 0
    prints: int = 0

    def add(self, price: int, size: int) -> None:
        self.open = self.open or price
        self.high = max(self.high, price)
        self.low = min(self.low, price) if self.low else price
        self.last, self.last_size = price, size
        self.volume += size
        self.turnover += price * size
        self.prints += 1

    def join(self, later: Day) -> None:
        """Trades that were not told one by one; `prints` counts those that were."""
        self.open = self.open or later.open
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low) if self.low else later.low
        self.last, self.last_size = later.last, later.last_size
        self.volume += later.volume
        self.turnover += later.turnover

    def roll(self) -> None:
        self.open = self.high = self.low = self.volume = self.turnover = self.prints = 0


class WorldState(msgspec.Struct):
    """`seq` is the last one given. Apply every tick exactly once, in order."""

    seq: int = 0
    quotes: dict[str, Quote] = {}
    references: dict[str, Reference] = {}
    phase: PhaseTick | None = None
    days: dict[str, Day] = {}
    trades: dict[str, list[Print]] = {}  # the last TRADES_KEPT, oldest first
    settled: dict[str, tuple[int, int]] = {}  # a venue's own settlement price: market day, price
    day_before: int = 0  # the market day that ran before this one

    def apply(self, tick: Tick) -> None:
        self.seq = tick.seq
        match tick:
            case Quote():
                self.quotes[tick.symbol] = tick
            case Print():
                self.day(tick.symbol).add(tick.price, tick.size)
                trades = self.trades.setdefault(tick.symbol, [])
                trades.append(tick)
                del trades[:-TRADES_KEPT]
            case Reference():
                self.references[tick.symbol] = tick
            case PhaseTick():
                if self.phase is not None and tick.market_day != self.phase.market_day:
                    self.day_before = self.phase.market_day
                    for day in self.days.values():
                        day.roll()
                self.phase = tick

    def day(self, symbol: str) -> Day:
        if symbol not in self.days:
            self.days[symbol] = Day()
        return self.days[symbol]

    def close_of(self, symbol: str) -> int:
        """The last price: the previous close of the next market day. 0 when none is known."""
        last = self.days[symbol].last if symbol in self.days else 0
        if last:
            return last
        reference = self.references.get(symbol)
        return reference.previous_close if reference else 0

    def closes(self) -> dict[str, list[int]]:
        """symbol → [last price, previous close], of those whose last price is known."""
        return {
            symbol: [last, self.references[symbol].previous_close]
            for symbol in self.references
            if (last := self.close_of(symbol))
        }

    def snapshot(self) -> list[Tick]:
        """PhaseTick (with the present `seq`), every Reference with the last price, the latest Quotes."""
        ticks: list[Tick] = []
        if self.phase is not None:
            ticks.append(msgspec.structs.replace(self.phase, seq=self.seq))
        ticks += [
            msgspec.structs.replace(each, last=self.days[symbol].last) if symbol in self.days else each
            for symbol, each in self.references.items()
        ]
        return [*ticks, *self.quotes.values()]
