"""The measures that the figures are made of. Floats: nothing here is money."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise

Numbers = Sequence[float]


def returns(prices: Numbers) -> list[float]:
    return [math.log(after / before) for before, after in pairwise(prices) if before > 0 and after > 0]


def excess_kurtosis(values: Numbers) -> float:
    mean = statistics.fmean(values)
    second = statistics.fmean((value - mean) ** 2 for value in values)
    fourth = statistics.fmean((value - mean) ** 4 for value in values)
    return fourth / second**2 - 3 if second else 0.0


def autocorrelation(rows: Sequence[Numbers], lag: int) -> float:
    """Over several series: each about its own mean, pooled."""
    above = below = 0.0
    for row in rows:
        if len(row) <= lag + 1:
            continue
        mean = statistics.fmean(row)
        above += sum((a - mean) * (b - mean) for a, b in zip(row, row[lag:], strict=False))
        below += sum((value - mean) ** 2 for value in row) * (len(row) - lag) / len(row)
    return above / below if below else 0.0


def correlation(first: Numbers, second: Numbers) -> float:
    if len(first) < 3 or not any(value != first[0] for value in first):
        return 0.0
    if not any(value != second[0] for value in second):
        return 0.0
    return statistics.correlation(first, second)


def hill(sizes: Numbers, share: float = 0.05) -> float:
    """Hill's estimate of the tail exponent, from the largest `share` of the sizes."""
    ranked = sorted(sizes, reverse=True)
    kept = max(int(len(ranked) * share), 2)
    if len(ranked) <= kept or ranked[kept] <= 0:
        return 0.0
    mean = statistics.fmean(math.log(size / ranked[kept]) for size in ranked[:kept])
    return 1 / mean if mean else 0.0


def by_market(rows: Sequence[Numbers]) -> tuple[float, float]:
    """(sd of the mean return of all, mean correlation of each to it)."""
    market = [statistics.fmean(column) for column in zip(*rows, strict=True)]
    together = [correlation(row, market) for row in rows]
    return statistics.pstdev(market), statistics.fmean(together)
