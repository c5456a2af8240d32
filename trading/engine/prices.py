"""Where a price may lie: band, cage, collar. And what a price times a quantity is worth."""

from __future__ import annotations

from market.rulebook.rules import PPB, InstrumentRules
from simgame.kernel.money import half_up


def worth_factors(rules: InstrumentRules) -> tuple[int, int]:
    """Price x qty times the first, divided by the second, is minor units: fills round down, holds up."""
    shift = rules.price_exponent + rules.qty_exponent - rules.cash_exponent
    return rules.multiplier * 10 ** max(-shift, 0), 10 ** max(shift, 0)


def band(previous_close: int, band_ppb: int, tick: int, down_ppb: int) -> tuple[int, int]:
    """The day's limits: previous close x (1 + band) and x (1 - down), half-up to the tick, and at least
    one tick away.

    Source: SZSE trading rules 3.3.14 (rounding) and 3.3.15 (one tick when the rounding leaves none).
    """
    high = half_up(previous_close * (PPB + band_ppb), PPB * tick) * tick
    low = half_up(previous_close * (PPB - down_ppb), PPB * tick) * tick
    return max(min(low, previous_close - tick), tick), max(high, previous_close + tick)


def distant(base: int, ppb: int, tick: int, ticks_least: int, *, above: bool) -> int:
    """The price `ppb` away from `base`, half-up to the tick, and at least `ticks_least` ticks away."""
    if above:
        return max(half_up(base * (PPB + ppb), PPB * tick) * tick, base + ticks_least * tick)
    return max(min(half_up(base * (PPB - ppb), PPB * tick) * tick, base - ticks_least * tick), tick)


def collar(rules: InstrumentRules, best: int, limits: tuple[int, int], *, buys: bool) -> int:
    """The worst price of a market order that meets `best`: the cage, else the rulebook's collar, and
    inside the band.
    """
    ppb, ticks = (rules.cage_ppb, rules.cage_ticks) if rules.cage_ppb else (rules.collar_ppb, 1)
    price = distant(best, ppb, rules.tick, ticks, above=buys)
    low, high = limits
    if buys:
        return min(price, high) if high else price
    return max(price, low) if low else price
