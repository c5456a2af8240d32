"""Days of the seeded market, lived to be measured: whole ones, and many of which only the end is lived."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from market.simulation import VENUE, SeededMarket
from market.ticks import Print, Quote

SECOND: Final = 10**9
DAY_S: Final = 86_400
OFFSET_S: Final = 28_800
START_NS: Final = (1_795_305_600 - OFFSET_S) * SECOND  # 2026-11-22 00:00 in Shanghai
OPEN_S, LUNCH_S, BACK_S, CLOSING_S, CLOSE_S = 34_200, 41_400, 46_800, 53_820, 54_000
AUCTION_S: Final = 600
MINUTES: Final = 240
Progress = Callable[[int], None]  # hears how many more minutes of the market are lived
END_MINUTES: Final = 5  # what a day of which only the end is lived costs, in minutes of a whole one


@dataclass
class Daily:
    """One instrument, day by day. limits: 1 closed at its upper limit, -1 at its lower, else 0."""

    returns: list[float] = field(default_factory=list)
    limits: list[int] = field(default_factory=list)


@dataclass
class Tape:
    """What happened order by order, over some days."""

    spreads: list[float] = field(default_factory=list)  # basis points
    touches: list[float] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    sides: list[list[float]] = field(default_factory=list)
    placed: int = 0
    cancelled: int = 0


@dataclass
class Whole:
    """Whole days, minute by minute."""

    volumes: list[list[float]] = field(default_factory=list)
    closes: list[list[float]] = field(default_factory=list)
    ranges: list[float] = field(default_factory=list)
    tape: Tape = field(default_factory=Tape)


def market_of(seed: int, count: int) -> SeededMarket:
    market = SeededMarket(seed, START_NS, VENUE, OFFSET_S, count)
    market.set_mode("closed")
    return market


def ends_of_days(market: SeededMarket, days: int, lived_s: int, progress: Progress) -> list[Daily]:
    """The market passes each day at one stride but its last `lived_s` seconds, in which the book trades."""
    rows = [Daily() for _ in market.stocks]
    for day in range(days):
        progress(END_MINUTES)
        midnight = START_NS + day * DAY_S * SECOND
        if day:
            market.begin_day(night=True)
        market.set_mode("continuous")
        market.skip_to(midnight + (CLOSE_S - lived_s) * SECOND, VENUE.open_s - lived_s)
        market.advance_to(midnight + CLOSE_S * SECOND)
        market.set_mode("closed")
        if day:
            note_closes(market, rows)
    return rows


def note_closes(market: SeededMarket, rows: list[Daily]) -> None:
    for stock, row in zip(market.stocks, rows, strict=True):
        row.returns.append(math.log(stock.last / stock.previous_close))
        row.limits.append((stock.last >= stock.limit_high) - (stock.last <= stock.limit_low))


def whole_day(market: SeededMarket, progress: Progress) -> Whole:
    """The venue's day with its auctions and its break, after a night."""
    whole = Whole()
    market.begin_day(night=True)
    seen = _Day(market)
    for mode, begins, ends in PHASES:
        market.skip_to(START_NS + begins * SECOND, 0)
        market.set_mode(mode)
        for second in range(begins, ends, 60):
            until = min(second + 60, ends)
            seen.note(market.advance_to(START_NS + until * SECOND), _minute(until - 1))
            progress(1)
    seen.into(whole)
    whole.tape.placed = sum(stock.book.numbers for stock in market.stocks)
    whole.tape.cancelled = sum(stock.book.cancelled for stock in market.stocks)
    return whole


def together(days: Iterable[Whole]) -> Whole:
    """Days of several markets as one sample."""
    pooled = Whole()
    for day in days:
        for name in ("volumes", "closes", "ranges"):
            getattr(pooled, name).extend(getattr(day, name))
        for name in ("spreads", "touches", "sizes", "sides"):
            getattr(pooled.tape, name).extend(getattr(day.tape, name))
        pooled.tape.placed += day.tape.placed
        pooled.tape.cancelled += day.tape.cancelled
    return pooled


PHASES: Final = (
    ("auction", OPEN_S - AUCTION_S - 300, OPEN_S - 300),
    ("continuous", OPEN_S, LUNCH_S),
    ("closed", LUNCH_S, LUNCH_S + 60),
    ("continuous", BACK_S, CLOSING_S),
    ("auction", CLOSING_S, CLOSE_S),
    ("closed", CLOSE_S, CLOSE_S + 1),
)


def _minute(second: int) -> int:
    """Which of the day's 240 minutes; what an auction trades belongs to the minute beside it."""
    if second < LUNCH_S + 60:
        return min(max(second - OPEN_S, 0) // 60, MINUTES // 2 - 1)
    return min(MINUTES // 2 + (second - BACK_S) // 60, MINUTES - 1)


class _Day:
    def __init__(self, market: SeededMarket):
        self.market = market
        symbols = list(market.by_symbol)
        self.volumes = {symbol: [0.0] * MINUTES for symbol in symbols}
        self.closes = {symbol: [0.0] * MINUTES for symbol in symbols}
        self.sides: dict[str, list[float]] = {symbol: [] for symbol in symbols}
        self.high: dict[str, int] = {}
        self.low: dict[str, int] = {}
        self.tape = Tape()

    def note(self, ticks: list[Quote | Print], minute: int) -> None:
        for tick in ticks:
            if isinstance(tick, Quote):
                self._quoted(tick)
            else:
                self._traded(tick, minute)
        for stock in self.market.stocks:
            self.closes[stock.company.symbol][minute] = stock.last

    def _quoted(self, quote: Quote) -> None:
        if quote.bids and quote.asks and self.market.mode == "continuous":
            bid, ask = quote.bids[0], quote.asks[0]
            self.tape.spreads.append(20_000 * (ask[0] - bid[0]) / (ask[0] + bid[0]))
            self.tape.touches.append((bid[1] + ask[1]) / 2)

    def _traded(self, trade: Print, minute: int) -> None:
        symbol = trade.symbol
        self.volumes[symbol][minute] += trade.size
        self.high[symbol] = max(self.high.get(symbol, 0), trade.price)
        self.low[symbol] = min(self.low.get(symbol, trade.price), trade.price)
        if trade.side:
            self.tape.sizes.append(trade.size)
            self.sides[symbol].append(1.0 if trade.side == "buy" else -1.0)

    def into(self, whole: Whole) -> None:
        whole.volumes += self.volumes.values()
        whole.closes += self.closes.values()
        whole.tape.sides += self.sides.values()
        whole.tape.spreads += self.tape.spreads[::7]
        whole.tape.touches += self.tape.touches[::7]
        whole.tape.sizes += self.tape.sizes
        for stock in self.market.stocks:
            symbol = stock.company.symbol
            if symbol in self.high:
                whole.ranges.append((self.high[symbol] - self.low[symbol]) / stock.previous_close)


def impact(seed: int, levels: int = 20, after_s: int = 300) -> tuple[float, float]:
    """(basis points that a sweep of `levels` usual sizes moves the price, share of it gone after `after_s`),
    against the same market without it: the mean over all instruments.
    """
    pushed, left = SeededMarket(seed, START_NS), SeededMarket(seed, START_NS)
    for market in (pushed, left):
        market.advance_to(START_NS + 60 * SECOND)
    rows = [[stock.company.symbol, "buy", stock.last, stock.usual_size() * levels] for stock in pushed.stocks]
    pushed.happen(pushed.event("taken", upto=1, rows=rows))
    left.happen(left.event("taken", upto=1, rows=[]))
    gaps = []
    for second in (62, 60 + after_s):
        for market in (pushed, left):
            market.advance_to(START_NS + second * SECOND)
        views = zip(pushed.stocks, left.stocks, strict=True)
        gaps.append(statistics.fmean((a.view + a.pressure) / (b.view + b.pressure) - 1 for a, b in views))
    return 10_000 * gaps[0], 100 * (1 - gaps[1] / gaps[0]) if gaps[0] else 0.0
