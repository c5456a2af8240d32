"""One instrument of the seeded market: its numbers, what it is worth, its book. No behaviour of agents."""

from __future__ import annotations

from math import isqrt
from typing import Any, Final

from market.simulation import chance, factors
from market.simulation.breaker import Recent
from market.simulation.companies import Company
from market.simulation.orders import Book
from market.simulation.scenarios import CALM, Mood, Spell
from simgame.kernel import money

LOT: Final = 100
PRICE_LOW, PRICE_HIGH = 5_00, 500_00  # no price ever lies outside
FAIR_LOW, FAIR_HIGH = 5_20, 480_00  # the fair value turns round here, so that depth always fits
BAND_PERCENT: Final = 10
BEYOND_PERCENT: Final = 12  # a fair value may lie outside the band: then the price is stuck at its limit
FAIR_SCALE: Final = 10**6  # fair value: cents times this
SPREADS = ((20_00, 1), (60_00, 2), (150_00, 3), (300_00, 4))  # below this price: usual spread in ticks
SPREAD_MAX: Final = 5

LONGEST: Final = 4_096  # steps that the tables below reach
LEARNT: Final = chance.halving(60, LONGEST)  # what makers have not learnt yet of the fair value: 15 s
PRESSED: Final = chance.halving(480, LONGEST)  # what is left of what takers did to the price: 2 minutes
TRENDING: Final = chance.halving(120, LONGEST)  # how long a move is remembered: 30 s
HEATED: Final = chance.halving(240, LONGEST)  # how long trading draws more trading: 1 minute
KEPT_BITS: Final = 16
PRESSURE_MAX_PPM: Final = 60_000
LASTING_OF_256: Final = 64  # a quarter of a taker's impact is taken for information, and stays
HEAT_MAX: Final = 2_500
NEVER: Final = 1 << 62


class Stock:
    """State of one instrument. Prices in cents; `fair`, `view`, `pressure`, `trend` in cents · FAIR_SCALE.

    fair      what it is worth: only those who know it trade on it
    view      what the makers take it to be worth: they learn the fair value within a minute
    pressure  how far takers have pushed the makers from their view: it fades
    trend     how far the price went lately
    heat      how much trading draws more of it, 0 to HEAT_MAX
    vol_log   logarithm of its volatility against the usual (chance.LOG_ONE), as days have it
    stir      logarithm of what comes on top of it for minutes; `lively` is the volatility of this moment
    recent    its trades of the last minutes, for the venue's halts
    """

    __slots__ = (
        "book",
        "company",
        "fair",
        "halted_until",
        "heat",
        "in_auction",
        "last",
        "limit_high",
        "limit_low",
        "lively",
        "mood",
        "mood_until",
        "next_step",
        "number",
        "pressure",
        "previous_close",
        "recent",
        "seen_beats",
        "seen_market",
        "seen_sector",
        "seen_step",
        "shown",
        "spared",
        "spells",
        "stir",
        "trend",
        "view",
        "vol_log",
        "volatility",
        "why_halted",
    )

    def __init__(self, number: int, company: Company, price: int, previous_close: int, vol_log: int):
        self.number = number
        self.company = company
        self.fair = self.view = price * FAIR_SCALE
        self.pressure = self.trend = self.heat = 0
        self.last = price
        self.book = Book()
        self.spells: list[Spell] = []
        self.mood: Mood = CALM
        self.mood_until = NEVER
        self.halted_until = 0
        self.why_halted = ""
        self.in_auction = False
        self.recent = Recent()
        self.stir = 0
        self.spared: list[tuple[str, int]] = []  # where players took: not quoted again at the next look
        self.next_step = 1
        self.seen_step = self.seen_beats = self.seen_market = self.seen_sector = 0
        self.shown: tuple[Any, ...] = ()  # what everybody has seen; empty: to be shown at the next visit
        self.set_volatility(vol_log, 0)
        self.open_day(previous_close)

    def open_day(self, previous_close: int) -> None:
        self.previous_close = previous_close
        self.limit_low = max(money.half_up(previous_close * (100 - BAND_PERCENT), 100), PRICE_LOW)
        self.limit_high = min(money.half_up(previous_close * (100 + BAND_PERCENT), 100), PRICE_HIGH)
        self.fair, self.view = self.clamped(self.fair), self.clamped(self.view)
        self.book.keep(self.limit_low, self.limit_high)

    def set_volatility(self, vol_log: int, shared: int) -> None:
        """`shared`: the stir of all instruments."""
        self.vol_log = vol_log
        self.volatility = chance.exp(vol_log)
        self.lively = factors.lively(vol_log, self.stir, shared)

    def set_stir(self, stir: int, shared: int) -> None:
        self.stir = stir
        self.lively = factors.lively(self.vol_log, stir, shared)

    def take_over(self, price: int, previous_close: int) -> None:
        """Go on from another market's price."""
        self.book.keep(0, 0)
        self.last = price
        self.fair = self.view = price * FAIR_SCALE
        self.pressure = self.trend = self.heat = 0
        self.recent.forget()
        self.open_day(previous_close)

    def clamped(self, value: int) -> int:
        beyond = self.previous_close * FAIR_SCALE * BEYOND_PERCENT // 100
        usual = self.previous_close * FAIR_SCALE
        return min(max(value, usual - beyond, FAIR_LOW * FAIR_SCALE), usual + beyond, FAIR_HIGH * FAIR_SCALE)

    def move(self, change: int) -> None:
        """Move the fair value by a return (chance.ONE = 100 %), no further than a little beyond the band."""
        fair = self.fair + self.fair * change // chance.ONE
        if not FAIR_LOW * FAIR_SCALE <= fair <= FAIR_HIGH * FAIR_SCALE:
            fair = self.fair - self.fair * change // chance.ONE
        self.fair = self.clamped(fair)

    def live_through(self, step: int, beats: int, tide: factors.Tide, dice: chance.Dice) -> None:
        """Up to `step`: the fair value moves with market, sector, its own news and its spells; the makers
        learn; pressure, trend and heat fade.
        """
        passed = step - self.seen_step
        change = (tide.market - self.seen_market) * self.company.beta_ppm // 10**6
        change += tide.sectors[self.company.sector] - self.seen_sector
        wide = isqrt(factors.SD_OWN * factors.SD_OWN * (beats - self.seen_beats) // tide.day_beats)
        change += chance.normal4(dice) * wide * self.lively // (4 * chance.E_ONE)
        if self.spells:
            change += sum(spell.change(self.seen_step, step) for spell in self.spells)
        self.move(change)
        self.look(step, beats, tide)
        k = min(passed, LONGEST)
        price_before = self.view + self.pressure
        self.view = self.fair - ((self.fair - self.view) * LEARNT[k] >> KEPT_BITS)
        self.pressure = self.pressure * PRESSED[k] >> KEPT_BITS
        self.trend = (self.trend * TRENDING[k] >> KEPT_BITS) + self.view + self.pressure - price_before
        self.heat = self.heat * HEATED[k] >> KEPT_BITS

    def look(self, step: int, beats: int, tide: factors.Tide) -> None:
        """Everything up to now counts as seen."""
        self.seen_step, self.seen_beats, self.seen_market = step, beats, tide.market
        self.seen_sector = tide.sectors[self.company.sector]

    def press(self, side: str, size: int) -> None:
        """Somebody took `size`: makers step back, the more the larger it is, and some of it stays."""
        usual = max(self.usual_size(), 1)
        push = self.spread() * FAIR_SCALE * size // (usual * 4) * self.mood.impact // 1000
        most = self.view * PRESSURE_MAX_PPM // 10**6
        push = min(push, most)
        if side == "sell":
            push = -push
        lasting = push * LASTING_OF_256 // 256
        self.pressure = min(max(self.pressure + push - lasting, -most), most)
        self.fair, self.view = self.clamped(self.fair + lasting), self.clamped(self.view + lasting)
        self.trend += push
        self.heat = min(self.heat + 60 * size // usual, HEAT_MAX)

    def spread(self) -> int:
        """The usual spread at this price, in ticks."""
        for below, ticks in SPREADS:
            if self.view < below * FAIR_SCALE:
                return ticks
        return SPREAD_MAX

    def usual_size(self) -> int:
        """What a usual level holds, in shares."""
        return self.company.worth * FAIR_SCALE // self.view

    def size(self, dice: chance.Dice, share: int) -> int:
        """A lognormal size around `share` per mille of what a usual level holds, in whole lots; now and
        then much more: the tail of sizes is a power law.
        """
        spread_out = chance.exp(chance.normal4(dice) * chance.LOG_ONE * 7 // 40)
        lots = self.usual_size() * share * spread_out // (1000 * chance.E_ONE * LOT)
        big = dice.getrandbits(16)
        while big and not big & 7:  # an eighth of them is doubled, an eighth of those again, …
            lots *= 2
            big >>= 3
        return max(lots, 1) * LOT

    def freeze(self) -> list[Any]:
        """Everything that changes, in plain values with a fixed order."""
        return [
            self.company.symbol,
            [self.fair, self.view, self.pressure, self.trend, self.heat],
            [self.vol_log, self.stir, self.lively],
            [self.last, self.previous_close, self.halted_until, self.next_step, self.in_auction],
            [self.why_halted, self.recent.freeze()],
            [self.seen_step, self.seen_beats, self.seen_market, self.seen_sector, self.mood_until],
            [list(spell) for spell in self.spells],
            self.spared,
            self.book.freeze(),
            self.shown,
        ]
