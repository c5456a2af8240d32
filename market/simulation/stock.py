"""One instrument of the seeded market: its numbers, its fair value, its book. No behaviour of agents."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from market.simulation import chance
from market.simulation.companies import Company, acts_of_65536
from market.simulation.levels import Levels
from simgame.kernel import money

LOT: Final = 100
PRICE_LOW, PRICE_HIGH = 5_00, 500_00  # no price ever lies outside
FAIR_LOW, FAIR_HIGH = 5_20, 480_00  # the fair value turns round here, so that depth always fits
BAND_PERCENT: Final = 10
FAIR_SCALE: Final = 10**6  # fair value: cents times this
SPREADS = ((20_00, 1), (60_00, 2), (150_00, 3), (300_00, 4))  # below this price: usual spread in ticks
SPREAD_MAX: Final = 5


class Stock:
    """State of one instrument. Prices in cents, `fair` in cents · FAIR_SCALE, sizes in shares.

    vol_log  logarithm of its volatility against the usual (chance.LOG_ONE)
    flow     who has been taking: from -64 (sellers) to 64 (buyers)
    """

    __slots__ = (
        "acts_of_65536",
        "company",
        "fair",
        "flow",
        "last",
        "levels",
        "limit_high",
        "limit_low",
        "previous_close",
        "shown",
        "vol_log",
        "volatility",
    )

    def __init__(self, company: Company, price: int, previous_close: int, vol_log: int):
        self.company = company
        self.acts_of_65536 = acts_of_65536(company)
        self.fair = price * FAIR_SCALE
        self.last = price
        self.levels = Levels()
        self.flow = 0
        self.shown: tuple[Any, ...] = ()  # what everybody has seen; empty: to be shown at the next step
        self.set_volatility(vol_log)
        self.open_day(previous_close)

    def open_day(self, previous_close: int) -> None:
        self.previous_close = previous_close
        self.limit_low = max(money.half_up(previous_close * (100 - BAND_PERCENT), 100), PRICE_LOW)
        self.limit_high = min(money.half_up(previous_close * (100 + BAND_PERCENT), 100), PRICE_HIGH)
        self.fair = min(max(self.fair, self.limit_low * FAIR_SCALE), self.limit_high * FAIR_SCALE)
        levels = self.levels
        levels.bids = {p: s for p, s in levels.bids.items() if self.limit_low <= p <= self.limit_high}
        levels.asks = {p: s for p, s in levels.asks.items() if self.limit_low <= p <= self.limit_high}

    def set_volatility(self, vol_log: int) -> None:
        self.vol_log = vol_log
        self.volatility = chance.exp(vol_log)

    def move(self, change: int) -> None:
        """Move the fair value by a return (chance.ONE = 100 %), inside the day's band."""
        fair = self.fair + self.fair * change // chance.ONE
        if not FAIR_LOW * FAIR_SCALE <= fair <= FAIR_HIGH * FAIR_SCALE:
            fair = self.fair - self.fair * change // chance.ONE
        self.fair = min(max(fair, self.limit_low * FAIR_SCALE), self.limit_high * FAIR_SCALE)

    def spread(self) -> int:
        """The usual spread at this price, in ticks."""
        for below, ticks in SPREADS:
            if self.fair < below * FAIR_SCALE:
                return ticks
        return SPREAD_MAX

    def size(self, rng: Random, share: int) -> int:
        """A lognormal size around `share` per mille of what a usual level holds, in whole lots."""
        usual = self.company.worth * FAIR_SCALE // self.fair
        spread_out = chance.exp(chance.normal4(rng) * chance.LOG_ONE * 7 // 40)
        return max(usual * share * spread_out // (1000 * chance.E_ONE * LOT), 1) * LOT

    def freeze(self) -> list[Any]:
        """Everything that changes, in plain values with a fixed order."""
        return [
            self.company.symbol,
            self.fair,
            self.vol_log,
            self.flow,
            self.last,
            self.previous_close,
            sorted(self.levels.bids.items()),
            sorted(self.levels.asks.items()),
            bool(self.shown),
        ]

    def thaw(self, frozen: list[Any], depth: int) -> None:
        _, fair, vol_log, self.flow, self.last, previous_close, bids, asks, was_shown = frozen
        self.fair = fair
        self.levels.bids = dict(bids)
        self.levels.asks = dict(asks)
        self.set_volatility(vol_log)
        self.open_day(previous_close)
        self.shown = self.levels.top(depth) if was_shown else ()
