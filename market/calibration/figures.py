"""Every figure: what it is, what it should be, and how far it may be away from that."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Final, NamedTuple

from market.calibration import statistics as measures
from market.calibration.days import Daily, Tape


class Target(NamedTuple):
    """`value` None: no published figure, only the range counts."""

    name: str
    about: str
    value: float | None
    low: float
    high: float
    unit: str = ""


# Values: A-shares 2019, non-ST, adjusted; Shanghai's index by the minute, July 2020; the AAPL tape of
# 2012-06-21. The ranges say how near a sample of some days and thirty instruments must come.
TARGETS: Final = (
    Target("daily_sd", "sd of daily returns", 2.77, 2.2, 3.4, "%"),
    Target("median_abs", "median |daily return|", 1.29, 1.0, 1.75, "%"),
    Target("kurtosis", "excess kurtosis of daily returns", 3.1, 1.2, 6.0),
    Target("limit_up", "closes at the upper limit", 1.52, 0.3, 3.0, "%"),
    Target("limit_down", "closes at the lower limit", 0.48, 0.05, 1.5, "%"),
    Target("market_sd", "sd of the mean of all", 1.52, 1.1, 2.1, "%"),
    Target("to_market", "mean correlation to it", 0.585, 0.45, 0.72),
    Target("ac_r_1", "autocorrelation of r, lag 1", 0.0, -0.08, 0.08),
    Target("ac_abs_1", "autocorrelation of |r|, lag 1", 0.18, 0.08, 0.30),
    Target("ac_abs_5", "autocorrelation of |r|, lag 5", 0.08, 0.0, 0.20),
    Target("range", "median (high - low) / previous close", 2.97, 2.0, 4.2, "%"),
    Target("first_minute", "volume 09:31 / 09:32, auction included", 2.5, 1.8, 3.6),
    Target("after_lunch", "volume 13:01 / 13:02", 2.8, 1.7, 3.9),
    Target("u_shape", "volume of the first half-hour / the last before lunch", 3.9, 2.2, 6.0),
    Target("ac_minute", "autocorrelation of minute returns, lag 1", None, -0.3, 0.1),
    Target("ac_abs_minute", "autocorrelation of |minute returns|, lag 1", None, 0.05, 0.6),
    Target("volume_volatility", "correlation of volume and |r|, 5 minutes", None, 0.15, 0.9),
    Target("spread", "median spread", None, 2.0, 25.0, "bp"),
    Target("depth", "size at the touch / median trade", None, 1.0, 60.0),
    Target("size_tail", "tail exponent of trade sizes (Hill)", None, 1.2, 4.0),
    Target("sides", "autocorrelation of takers' sides, lag 1", None, 0.0, 0.7),
    Target("cancels", "cancels of order messages", 44.0, 30.0, 60.0, "%"),
    Target("impact", "price after a sweep of 20 usual sizes", None, 10.0, 300.0, "bp"),
    Target("recovery", "of that gone after five minutes", None, 40.0, 105.0, "%"),
)
Figures = dict[str, float]


def of_days(rows: Sequence[Daily]) -> Figures:
    """rows: one per instrument, all of the same days."""
    returns = [row.returns for row in rows]
    pooled = [value for row in returns for value in row]
    absolute = [[abs(value) for value in row] for row in returns]
    days = max(sum(len(row.limits) for row in rows), 1)
    market_sd, to_market = measures.by_market(returns)
    return {
        "daily_sd": 100 * statistics.pstdev(pooled),
        "median_abs": 100 * statistics.median(abs(value) for value in pooled),
        "kurtosis": measures.excess_kurtosis(pooled),
        "limit_up": 100 * sum(row.limits.count(1) for row in rows) / days,
        "limit_down": 100 * sum(row.limits.count(-1) for row in rows) / days,
        "market_sd": 100 * market_sd,
        "to_market": to_market,
        "ac_r_1": measures.autocorrelation(returns, 1),
        "ac_abs_1": measures.autocorrelation(absolute, 1),
        "ac_abs_5": measures.autocorrelation(absolute, 5),
    }


def of_minutes(volumes: Sequence[Sequence[float]], closes: Sequence[Sequence[float]]) -> Figures:
    """Rows of 240 minutes: one per day and instrument."""
    usual = [statistics.fmean(column) for column in zip(*volumes, strict=True)]
    returns = [measures.returns(row) for row in closes]
    fives = [[sum(row[n : n + 5]) for n in range(5, 235, 5)] for row in volumes]
    moves = [[abs(value) for value in measures.returns(row[4:235:5])] for row in closes]
    return {
        "first_minute": usual[0] / max(usual[1], 1e-9),
        "after_lunch": usual[120] / max(usual[121], 1e-9),
        "u_shape": sum(usual[:30]) / max(sum(usual[90:120]), 1e-9),
        "ac_minute": measures.autocorrelation(returns, 1),
        "ac_abs_minute": measures.autocorrelation([[abs(r) for r in row] for row in returns], 1),
        "volume_volatility": statistics.fmean(map(measures.correlation, fives, moves)),
    }


def of_tape(tape: Tape) -> Figures:
    messages = tape.placed + tape.cancelled + len(tape.sizes)
    return {
        "spread": statistics.median(tape.spreads),
        "depth": statistics.median(tape.touches) / statistics.median(tape.sizes),
        "size_tail": measures.hill(tape.sizes),
        "sides": measures.autocorrelation(tape.sides, 1),
        "cancels": 100 * tape.cancelled / messages,
    }


def verdict(target: Target, value: float | None) -> str:
    if value is None:
        return "not measured"
    return "ok" if target.low <= value <= target.high else "out of range"
