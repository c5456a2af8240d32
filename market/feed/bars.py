"""Open, high, low, close from trade prints: a pure function of the ticks in their order.

Intervals below a day start at whole multiples of their length (UTC, world time); a day's bar starts
at 00:00 UTC of its market day. So the same WAL always gives the same bars.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from market.sources.items import Gap
from market.ticks import PhaseTick, Print, Tick
from simgame.kernel.clock import NS_PER_S

SECONDS = {"1s": 1, "1m": 60, "5m": 300, "15m": 900, "1h": 3_600}
DAY = "1d"
INTERVALS = (*SECONDS, DAY)
STORED = tuple(interval for interval in INTERVALS if interval != "1s")  # one-second bars live in memory
SECONDS_KEPT = 300  # 1s bars per instrument: what a chart shows


class Bar(msgspec.Struct):
    """`start` in Unix seconds; prices and volume scaled; turnover = sum of price x size, both scaled."""

    start: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    turnover: int
    prints: int
    partial: bool = False

    def add(self, price: int, size: int) -> None:
        if price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        self.close = price
        self.volume += size
        self.turnover += price * size
        self.prints += 1


class Series(msgspec.Struct):
    """The bars of one instrument: per interval the forming one and the one before it."""

    forming: dict[str, Bar] = {}
    before: dict[str, Bar] = {}
    gap_pending: list[str] = []  # intervals whose next print comes from behind a gap


Key = tuple[str, str, int]  # symbol, interval, start


class BarBuilder:
    """Feed it every tick and gap in order. `dirty` holds the bars changed since `take_dirty`."""

    def __init__(self, series: dict[str, Series] | None = None, market_day: int = 0):
        self.series: dict[str, Series] = series or {}
        self.market_day = market_day
        self.too_late = 0  # prints older than the bars still held: counted in no bar
        self.dirty: dict[Key, Bar] = {}
        self.seconds: dict[str, deque[Bar]] = {}  # the last 1s bars, for charts
        # Per instrument the second of its last print and the bars that this second goes into: prints come
        # in bursts, and what holds for the first of a second holds for the others.
        self._running: dict[str, tuple[int, list[tuple[Key, Bar]]]] = {}

    def apply(self, tick: Tick) -> None:
        if isinstance(tick, Print):
            self._add(tick)
        elif isinstance(tick, PhaseTick):
            if tick.market_day != self.market_day:
                self._running.clear()
            self.market_day = tick.market_day

    def gap(self, gap: Gap) -> None:
        """Messages are missing: the forming bars, and the first ones after it, are partial."""
        for symbol in [gap.symbol] if gap.symbol else list(self.series):
            series = self.series.setdefault(symbol, Series())
            series.gap_pending = list(INTERVALS)
            self._running.pop(symbol, None)
            for interval, bar in series.forming.items():
                bar.partial = True
                self.dirty[symbol, interval, bar.start] = bar

    def fill(self, symbol: str, interval: str, bar: Bar) -> None:
        """The whole bar of an interval that is over, in the place of a partial one or of none."""
        series = self.series.setdefault(symbol, Series())
        self._running.pop(symbol, None)
        for kept in (series.before, series.forming):
            if interval in kept and kept[interval].start == bar.start:
                kept[interval] = bar
        self.dirty[symbol, interval, bar.start] = bar

    def take_dirty(self) -> dict[Key, Bar]:
        dirty, self.dirty = self.dirty, {}
        return dirty

    def _add(self, tick: Print) -> None:
        second = tick.at_ns // NS_PER_S
        running = self._running.get(tick.symbol)
        if running is not None and running[0] == second:
            price, size, dirty = tick.price, tick.size, self.dirty
            for key, bar in running[1]:
                bar.add(price, size)
                dirty[key] = bar
            return
        series = self.series.get(tick.symbol)
        if series is None:
            series = self.series[tick.symbol] = Series()
        starts = {interval: second - second % length for interval, length in SECONDS.items()}
        if self.market_day:
            starts[DAY] = day_start(self.market_day)
        for interval, start in starts.items():
            self._add_to(series, tick, interval, start)
        forming = series.forming
        if all(forming[interval].start == start for interval, start in starts.items()):
            bars = [((tick.symbol, one, start), forming[one]) for one, start in starts.items()]
            self._running[tick.symbol] = (second, bars)

    def _add_to(self, series: Series, tick: Print, interval: str, start: int) -> None:
        bar = series.forming.get(interval)
        if bar is None or start > bar.start:
            bar = self._begin(series, tick, interval, start)
        elif start < bar.start:
            bar = series.before.get(interval)
            if bar is None or bar.start != start:
                self.too_late += 1
                return
            bar.add(tick.price, tick.size)
        else:
            bar.add(tick.price, tick.size)
        if series.gap_pending and interval in series.gap_pending:
            bar.partial = True
            series.gap_pending.remove(interval)
        self.dirty[tick.symbol, interval, start] = bar

    def _begin(self, series: Series, tick: Print, interval: str, start: int) -> Bar:
        price = tick.price
        bar = Bar(start, price, price, price, price, tick.size, price * tick.size, 1)
        if interval in series.forming:
            series.before[interval] = series.forming[interval]
        series.forming[interval] = bar
        if interval == "1s":
            self.seconds.setdefault(tick.symbol, deque(maxlen=SECONDS_KEPT)).append(bar)
        return bar


@lru_cache(8)
def day_start(market_day: int) -> int:
    """Unix seconds of 00:00 UTC of a market day (20261102)."""
    day = datetime(market_day // 10_000, market_day // 100 % 100, market_day % 100, tzinfo=UTC)
    return int(day.timestamp())
