"""The past of the seeded market: believable bars that end at the first prices.

Prices are walked backwards from the first price, with the same factors as the live market: minute by
minute over the last INTRADAY_DAYS trading days and today, day by day before that, each minute as busy as
its time of the day and the stir of the moment make it. Longer bars are sums of minutes, so the intervals
agree with each other. Nothing is kept: a call makes its bars anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from random import Random
from typing import Final, NamedTuple

import msgspec

from market.simulation import chance, factors
from market.simulation.companies import COMPANIES, Company, acts_of_65536
from market.simulation.factors import Factors, Move
from market.simulation.sessions import DAY_S, Sessions
from market.simulation.stock import FAIR_HIGH, FAIR_LOW, FAIR_SCALE, LOT, PRICE_HIGH, PRICE_LOW
from market.simulation.tempo import USUAL, Tempo

NS_PER_S: Final = 10**9
MINUTE_DAYS: Final = 1  # whole trading days told minute by minute, besides the one that is running
INTRADAY_DAYS: Final = 3  # told at least every five minutes
DAYS: Final = 250
SUMMED_S: Final = {"5m": 300, "15m": 900, "1h": 3_600, "1d": DAY_S}
_MOVE_OF_A_DAY_MAX = chance.ONE * 9 // 100  # below the band of 10 %, also after rounding
_SATURDAY = 5


class HistoryBar(msgspec.Struct, frozen=True, gc=False):
    """A bar of the past. Prices in cents, volume in shares, turnover = price · volume (cents)."""

    start_ns: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    turnover: int
    prints: int
    closed: bool  # False: the interval is still running at the market's start


class First(NamedTuple):
    """What a stock begins with."""

    company: Company
    price: int
    previous_close: int
    vol_log: int


class Opening(NamedTuple):
    market_vol_log: int
    stocks: dict[str, First]


class _Shift(NamedTuple):
    """One interval of a backward walk: when it begins, how busy that time of the day is, how far it moves."""

    start_s: int
    length_s: int
    day: int
    pace: int
    move: Move


class _Drawn(NamedTuple):
    """What all instruments share in one interval."""

    returns: tuple[int, dict[str, int]]
    stir: int


class Past:
    """The bars before `start_ns` of the market with this seed. Arguments as for SeededMarket."""

    def __init__(
        self,
        seed: int,
        start_ns: int,
        sessions: Sessions,
        utc_offset_s: int,
        companies: Sequence[Company] = COMPANIES,
    ):
        self._companies = {company.symbol: company for company in companies}
        self._seed = seed
        self._start_ns = start_ns
        self._sessions = sessions
        self._offset_s = utc_offset_s
        self._market = Factors(self._first_market_vol_log())
        self._rng = chance.source(seed, "minutes", start_ns)
        self._tempo = Tempo(sessions, utc_offset_s)
        self._drawn: list[_Drawn] = []

    def opening(self) -> Opening:
        today = [shift for shift in self._shifts if shift.day == self._today]
        return Opening(
            market_vol_log=self._first_market_vol_log(),
            stocks={company.symbol: self._first(company, today) for company in self._companies.values()},
        )

    def _first_market_vol_log(self) -> int:
        return factors.first_vol_log(chance.source(self._seed, "market volatility"))

    def bars(self, symbol: str) -> dict[str, list[HistoryBar]]:
        """interval → bars, oldest first. Raises KeyError for an unknown symbol.

        "1m" reaches back over today and MINUTE_DAYS trading days, "5m" "15m" "1h" over INTRADAY_DAYS
        before today, "1d" over DAYS. The last bar of each is not `closed` when the market starts
        inside its interval.
        """
        company = self._companies[symbol]
        walked = self._walked_bars(company)
        sums = {name: self._sums(walked, length_s) for name, length_s in SUMMED_S.items()}
        days = self._day_bars(company, sums["1d"][0])
        minutes = [
            bar for bar, shift in zip(walked, reversed(self._shifts), strict=True) if shift.length_s == 60
        ]
        return {"1m": minutes, **sums, "1d": [*days, *sums["1d"]]}

    # --- the calendar ---------------------------------------------------------------------------

    def _day(self, second: int) -> int:
        return (second + self._offset_s) // DAY_S

    def _day_start_s(self, day: int) -> int:
        return day * DAY_S - self._offset_s

    @property
    def _today(self) -> int:
        return self._day(self._start_ns // NS_PER_S)

    def _trading_days_before(self, day: int) -> Iterator[int]:
        while True:
            day -= 1
            if self._sessions.weekends or (day + 3) % 7 < _SATURDAY:  # day 0 was a Thursday
                yield day

    @cached_property
    def _shifts(self) -> list[_Shift]:
        """The minutes and, further back, five minutes before the start; latest first."""
        earlier = self._trading_days_before(self._today + 1)
        days = [next(earlier) for _ in range(INTRADAY_DAYS + 1)]
        found = []
        for nth, day in enumerate(days):
            length_s = 60 if nth <= MINUTE_DAYS else 300
            for start, end in reversed(self._sessions.spans):
                for second in range(end - length_s, start - 1, -length_s):
                    found.append(self._shift(self._day_start_s(day) + second, length_s, day))
        return [shift for shift in found if shift.start_s * NS_PER_S < self._start_ns]

    def _shift(self, start_s: int, length_s: int, day: int) -> _Shift:
        pace = sum(self._tempo.at(start_s + second) for second in range(0, length_s, 60)) * 60 // length_s
        return _Shift(start_s, length_s, day, pace, Move(length_s * pace, self._sessions.open_s * USUAL))

    # --- what moved -----------------------------------------------------------------------------

    def _shift_factors(self, count: int) -> list[_Drawn]:
        """Of the latest `count` shifts; drawn when they are first needed."""
        stir = self._drawn[-1].stir if self._drawn else 0
        for shift in self._shifts[len(self._drawn) : count]:
            stir = factors.stirred(stir, self._rng, shift.length_s)
            stirring = chance.exp(stir - factors.CALMED_SHARED)
            market, sectors = self._market.draw(shift.move, self._rng)
            by_sector = {sector: moved * stirring // chance.E_ONE for sector, moved in sectors.items()}
            self._drawn.append(_Drawn((market * stirring // chance.E_ONE, by_sector), stir))
        return self._drawn

    @cached_property
    def _day_factors(self) -> list[tuple[int, dict[str, int]]]:
        rng = chance.source(self._seed, "days", self._start_ns)
        market = Factors(self._first_market_vol_log())
        drawn = []
        for _ in range(DAYS):
            market.set_volatility(factors.vol_a_day_away(market.vol_log, rng))
            drawn.append(market.draw(_A_DAY, rng))
        return drawn

    def _first(self, company: Company, today: Sequence[_Shift]) -> First:
        rng = chance.source(self._seed, "first", company.symbol)
        price = company.price * (9_000 + rng.randrange(2_000)) // 10_000
        vol_log = factors.first_vol_log(rng)
        opens = [corners[0] for corners, _ in self._walk(company, price, vol_log, today)]
        return First(company, price, opens[-1] if opens else price, vol_log)

    def _walk(
        self, company: Company, price: int, vol_log: int, shifts: Sequence[_Shift]
    ) -> Iterator[tuple[tuple[int, int, int, int], int]]:
        """Backwards from `price`: (open, close, high, low) in cents of every shift, and how lively it was."""
        rng = chance.source(self._seed, "walk", company.symbol, self._start_ns)
        stir = 0
        fair = close_of_day = price * FAIR_SCALE
        day = shifts[0].day if shifts else 0
        for shift, drawn in zip(shifts, self._shift_factors(len(shifts)), strict=False):
            if shift.day != day:
                day, close_of_day = shift.day, fair
            stir = factors.stirred(stir, rng, shift.length_s)
            lively = factors.lively(vol_log, stir, drawn.stir)
            change = factors.of(company, drawn.returns, shift.move, lively, rng)
            before = _back(fair, change, close_of_day)
            wick = shift.move.own * lively // (8 * chance.E_ONE)
            yield _corners(before, fair, wick, rng), lively
            fair = before

    def _walked_bars(self, company: Company) -> list[HistoryBar]:
        first = self._first(company, ())
        rng = chance.source(self._seed, "volume", company.symbol)
        usual = _volume_of_a_minute(company, first.price)
        walked = self._walk(company, first.price, first.vol_log, self._shifts)
        made = []
        for shift, (corners, lively) in zip(self._shifts, walked, strict=True):
            busy = shift.pace * factors.haste(lively) // chance.E_ONE
            volume = _lognormal(usual * shift.length_s * busy // (60 * USUAL), rng)
            made.append(self._bar(shift.start_s, shift.length_s, corners, volume, usual))
        return made[::-1]

    def _day_bars(self, company: Company, after: HistoryBar) -> list[HistoryBar]:
        """The days before the bar `after`, which opens where they end."""
        rng = chance.source(self._seed, "days of", company.symbol, self._start_ns)
        vol_log = self._first(company, ()).vol_log
        minutes = self._sessions.open_s // 60
        days = self._trading_days_before(self._day(after.start_ns // NS_PER_S))
        fair = after.open * FAIR_SCALE
        made = []
        for drawn in self._day_factors[: DAYS - INTRADAY_DAYS - 1]:
            vol_log = factors.vol_a_day_away(vol_log, rng)
            volatility = chance.exp(vol_log)
            before = _back(fair, factors.of(company, drawn, _A_DAY, volatility, rng), fair)
            corners = _corners(before, fair, _A_DAY.own * volatility // (8 * chance.E_ONE), rng)
            usual = minutes * _volume_of_a_minute(company, corners[1])
            volume = _lognormal(usual * volatility // chance.E_ONE, rng)
            made.append(self._bar(self._day_start_s(next(days)), DAY_S, corners, volume, usual // minutes))
            fair = before
        return made[::-1]

    def _bar(
        self, start_s: int, length_s: int, corners: tuple[int, int, int, int], volume: int, usual: int
    ) -> HistoryBar:
        opened, close, high, low = corners
        return HistoryBar(
            start_ns=start_s * NS_PER_S,
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
            turnover=volume * (opened + close + high + low) // 4,
            prints=max(12 * volume // max(usual, 1), 1),
            closed=(start_s + length_s) * NS_PER_S <= self._start_ns,
        )

    def _sums(self, minutes: list[HistoryBar], length_s: int) -> list[HistoryBar]:
        """Whole intervals of `length_s`, counted from midnight of the world's day."""
        grouped: dict[int, list[HistoryBar]] = {}
        for bar in minutes:
            local_s = bar.start_ns // NS_PER_S + self._offset_s
            grouped.setdefault(local_s // length_s * length_s - self._offset_s, []).append(bar)
        return [self._sum(start_s, length_s, bars) for start_s, bars in grouped.items()]

    def _sum(self, start_s: int, length_s: int, bars: Sequence[HistoryBar]) -> HistoryBar:
        return HistoryBar(
            start_ns=start_s * NS_PER_S,
            open=bars[0].open,
            high=max(bar.high for bar in bars),
            low=min(bar.low for bar in bars),
            close=bars[-1].close,
            volume=sum(bar.volume for bar in bars),
            turnover=sum(bar.turnover for bar in bars),
            prints=sum(bar.prints for bar in bars),
            closed=(start_s + length_s) * NS_PER_S <= self._start_ns,
        )


_A_DAY: Final = Move(1, 1)


def _back(fair: int, change: int, close_of_day: int) -> int:
    """The fair value before it moved by `change`; turned round at the price range and the day's band."""
    for turned in (change, -change):
        before = fair * chance.ONE // (chance.ONE + max(turned, -_MOVE_OF_A_DAY_MAX))
        inside = FAIR_LOW * FAIR_SCALE <= before <= FAIR_HIGH * FAIR_SCALE
        if inside and abs(before - close_of_day) * chance.ONE <= close_of_day * _MOVE_OF_A_DAY_MAX:
            return before
    return fair


def _corners(before: int, after: int, wick: int, rng: Random) -> tuple[int, int, int, int]:
    """(open, close, high, low) in cents; the wicks reach a few times `wick` beyond the body."""
    opened, close = (chance.rounded(value, FAIR_SCALE) for value in (before, after))
    top, bottom = max(before, after), min(before, after)
    high = chance.rounded(top + top * abs(chance.normal4(rng)) * wick // chance.ONE, FAIR_SCALE)
    low = chance.rounded(bottom - bottom * abs(chance.normal4(rng)) * wick // chance.ONE, FAIR_SCALE)
    return opened, close, min(high, PRICE_HIGH), max(low, PRICE_LOW)


def _volume_of_a_minute(company: Company, price: int) -> int:
    """What the live market trades in a minute, by and large: acts · takers among them · their size."""
    acts = acts_of_65536(company) * 240
    return company.worth * acts // (65_536 * 11 * price)


def _lognormal(usual: int, rng: Random) -> int:
    log = chance.normal4(rng) * chance.LOG_ONE * 3 // 20
    return max(usual * chance.exp(log) // (chance.E_ONE * LOT), 1) * LOT
