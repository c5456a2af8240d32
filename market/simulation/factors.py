"""What moves fair values: one factor for the market, one per sector, and the company's own news.

Daily figures are those measured on A-shares (2019): daily sd 2.77 %, market factor sd 1.52 %, mean
correlation to the market 0.585. The rest is split between sector and company. Volatility is
lognormal and persistent, which gives the fat tails and the clustering of |r| from day to day (sectors
have the market's); on top of it lies a **stir** that comes and goes within a quarter of an hour, the
same from minute to minute.
"""

from __future__ import annotations

from math import isqrt
from random import Random
from typing import Final

from market.simulation import chance
from market.simulation.companies import SECTORS_ZH, Company

# Of a day, at the median volatility: the lognormal more than doubles the root of the mean square.
SD_MARKET: Final = chance.ONE * 87 // 10_000
SD_SECTOR: Final = chance.ONE * 58 // 10_000
SD_OWN: Final = chance.ONE * 93 // 10_000
VOL_UPDATES_PER_DAY: Final = 240
VOL_LOG_MAX: Final = chance.LOG_ONE * 9 // 5
_VOL_SD_PPM = 850_000  # of log volatility, stationary
_DAY_PPM = 900_000  # how much of it is left after a day
_UPDATE_PPM = 999_561  # the 240th root of it


def next_vol_log(vol_log: int, rng: Random | chance.Dice, kept_ppm: int) -> int:
    """One step of the log volatility, an AR(1) with the stationary spread _VOL_SD_PPM."""
    news_ppm = isqrt((10**12 - kept_ppm * kept_ppm) * _VOL_SD_PPM * _VOL_SD_PPM // 10**12)
    moved = chance.rounded(vol_log * kept_ppm, 10**6)
    moved += chance.rounded(chance.fine_normal(rng) * news_ppm * chance.LOG_ONE, 16 * 10**6)
    return min(max(moved, -VOL_LOG_MAX), VOL_LOG_MAX)


def first_vol_log(rng: Random | chance.Dice) -> int:
    return next_vol_log(0, rng, 0)


def vol_after_update(vol_log: int, rng: Random | chance.Dice) -> int:
    return next_vol_log(vol_log, rng, _UPDATE_PPM)


def vol_a_day_away(vol_log: int, rng: Random | chance.Dice) -> int:
    """A day later or, the process being the same both ways, a day earlier."""
    return next_vol_log(vol_log, rng, _DAY_PPM)


# Stir: a second log volatility, an AR(1) that halves in twelve minutes (BTC by the minute, January 2022:
# autocorrelation of |r| 0.25 at lag 1, 0.16 at 10, 0.10 at 30; Shanghai's index 0.28 at lag 1).
STIR_STEPS: Final = 60  # between two updates: a quarter of a minute
STIR_SD_PPM: Final = 600_000  # stationary, of what all instruments share and of each one's own
SHARED_OF_10: Final = 6  # how much of the shared stir an instrument's own news feels
STIR_OF_NEWS: Final = chance.LOG_ONE  # whose price has leapt stays restless for a while
_STIR_KEPT_PPM = 985_663  # after an update: the 48th root of a half
_MEAN_SQUARE_1 = chance.LOG_ONE * STIR_SD_PPM // 10**6 * STIR_SD_PPM // 10**6  # of the shared stir
CALMED_SHARED: Final = _MEAN_SQUARE_1  # subtracted, so that stir leaves the mean square as it is
CALMED: Final = _MEAN_SQUARE_1 * (100 + SHARED_OF_10 * SHARED_OF_10) // 100
KEPT_OF_STIR: Final = {15: _STIR_KEPT_PPM, 60: 943_874, 300: 749_154}  # after so many seconds


def _news_of_stir(kept_ppm: int) -> int:
    """The fresh part of an update, in a quarter of its sd: times `normal4`."""
    return isqrt(10**12 - kept_ppm * kept_ppm) * STIR_SD_PPM // 10**6 * chance.LOG_ONE // (4 * 10**6)


_STIRS = {seconds: (kept, _news_of_stir(kept)) for seconds, kept in KEPT_OF_STIR.items()}


def stirred(stir: int, rng: Random | chance.Dice, seconds: int = 15) -> int:
    """The stir 15, 60 or 300 seconds later or, the process being the same both ways, earlier."""
    kept, news = _STIRS[seconds]
    return stir * kept // 10**6 + chance.normal4(rng) * news


LIVELY_MOST: Final = chance.E_ONE * 5 // 2


def lively(vol_log: int, stir: int, shared: int) -> int:
    """The volatility of this moment (chance.E_ONE: the usual), of an instrument's own news."""
    return chance.exp(vol_log + stir + shared * SHARED_OF_10 // 10 - CALMED)


def haste(lively: int) -> int:
    """How much sooner than usual people act in it (chance.E_ONE: as usual): volume comes with volatility,
    as far as people can.
    """
    return (2 * chance.E_ONE + 3 * min(lively, LIVELY_MOST)) // 4


def scaled(sd_day: int, part: int, whole: int) -> int:
    """The sd of `part` of a day that is `whole` long: it grows with the root of time."""
    return isqrt(sd_day * sd_day * part // whole)


class Move:
    """Standard deviations for one length of time: `part` of a trading day that is `whole` long."""

    __slots__ = ("market", "own", "sector")

    def __init__(self, part: int, whole: int):
        self.market = scaled(SD_MARKET, part, whole)
        self.sector = scaled(SD_SECTOR, part, whole)
        self.own = scaled(SD_OWN, part, whole)


class Factors:
    """Market and sector returns of one step, and the market's own volatility."""

    __slots__ = ("vol_log", "volatility")

    def __init__(self, vol_log: int):
        self.set_volatility(vol_log)

    def set_volatility(self, vol_log: int) -> None:
        self.vol_log = vol_log
        self.volatility = chance.exp(vol_log)

    def draw(self, move: Move, rng: Random | chance.Dice) -> tuple[int, dict[str, int]]:
        """(market return, sector → return): to be added up by `of`."""
        wide, narrow = move.market * self.volatility, move.sector * self.volatility
        market = chance.normal4(rng) * wide // (4 * chance.E_ONE)
        return market, {sector: chance.normal4(rng) * narrow // (4 * chance.E_ONE) for sector in SECTORS_ZH}


def of(
    company: Company,
    drawn: tuple[int, dict[str, int]],
    move: Move,
    volatility: int,
    rng: Random | chance.Dice,
) -> int:
    """The return of one company, given the factors."""
    market, sectors = drawn
    own = chance.normal4(rng) * move.own * volatility // (4 * chance.E_ONE)
    return market * company.beta_ppm // 10**6 + sectors[company.sector] + own


SECTORS: Final = tuple(SECTORS_ZH)
UP_OF_256: Final = (
    168  # news is good more often than bad, and moves further: limit-ups are thrice limit-downs
)
JUMPS_OF_65536: Final = 9  # per update of the volatility: one in some thirty days


def jump(dice: chance.Dice) -> int:
    """News of a company's own, as a return (chance.ONE = 100 %); 0 when there is none, which is usual."""
    roll = dice.getrandbits(16)
    if roll >= JUMPS_OF_65536:
        return 0
    size = chance.ONE * (60 + dice.getrandbits(6)) // 1_000
    return size if dice.getrandbits(8) < UP_OF_256 else -size * 3 // 4


class Tide:
    """What moves all prices, second by second: sums of the market's and each sector's returns so far."""

    __slots__ = (
        *("_sd_market", "_sd_sector", "day_beats", "market", "sectors", "stir", "stirring", "vol_log"),
        "volatility",
    )

    def __init__(self, vol_log: int, day_beats: int):
        self.market = 0
        self.sectors = dict.fromkeys(SECTORS, 0)
        self.day_beats = day_beats
        self._sd_market = SD_MARKET * SD_MARKET // day_beats
        self._sd_sector = SD_SECTOR * SD_SECTOR // day_beats
        self.set_stir(0)
        self.set_volatility(vol_log)

    def set_volatility(self, vol_log: int) -> None:
        self.vol_log, self.volatility = vol_log, chance.exp(vol_log)

    def set_stir(self, stir: int) -> None:
        self.stir, self.stirring = stir, chance.exp(stir - CALMED_SHARED)

    def flow(self, beats: int, dice: chance.Dice) -> None:
        """So many beats pass."""
        moved = self.volatility * self.stirring // chance.E_ONE
        wide, narrow = isqrt(self._sd_market * beats) * moved, isqrt(self._sd_sector * beats) * moved
        self.market += chance.normal4(dice) * wide // (4 * chance.E_ONE)
        for sector in SECTORS:
            self.sectors[sector] += chance.normal4(dice) * narrow // (4 * chance.E_ONE)
