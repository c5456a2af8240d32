"""Where a price may lie: band, cage, collar. And what a price times a quantity is worth."""

from __future__ import annotations

from typing import Final

from market.rulebook.rules import PPB, InstrumentRules
from simgame.kernel.money import half_up, rescale_down, rescale_up

# The worst price a market order accepts, from the best displayed one, where the venue has no cage.
COLLAR_PPB: Final = 50_000_000  # 5 %: wide enough for a fast market, narrow enough to bound a mistake


def worth(rules: InstrumentRules, price: int, qty: int) -> int:
    """price x qty in minor units, rounded down: what a fill moves."""
    shift = rules.price_exponent + rules.qty_exponent - rules.cash_exponent
    return rescale_down(price * qty * rules.multiplier, shift)


def worth_at_most(rules: InstrumentRules, price: int, qty: int) -> int:
    """price x qty in minor units, rounded up: what a reservation holds."""
    shift = rules.price_exponent + rules.qty_exponent - rules.cash_exponent
    return rescale_up(price * qty * rules.multiplier, shift)


def band(previous_close: int, band_ppb: int, tick: int) -> tuple[int, int]:
    """The day's limits: previous close x (1 ± band), half-up to the tick, at least one tick away.

    Source: SZSE trading rules 3.3.14 (rounding) and 3.3.15 (one tick when the rounding leaves none).
    """
    high = half_up(previous_close * (PPB + band_ppb), PPB * tick) * tick
    low = half_up(previous_close * (PPB - band_ppb), PPB * tick) * tick
    return max(min(low, previous_close - tick), tick), max(high, previous_close + tick)


def distant(base: int, ppb: int, tick: int, ticks_least: int, *, above: bool) -> int:
    """The price `ppb` away from `base`, half-up to the tick, and at least `ticks_least` ticks away."""
    if above:
        return max(half_up(base * (PPB + ppb), PPB * tick) * tick, base + ticks_least * tick)
    return max(min(half_up(base * (PPB - ppb), PPB * tick) * tick, base - ticks_least * tick), tick)


def collar(rules: InstrumentRules, best: int, limits: tuple[int, int], *, buys: bool) -> int:
    """The worst price of a market order that meets `best`: the cage, or 5 %, and inside the band."""
    ppb, ticks = (rules.cage_ppb, rules.cage_ticks) if rules.cage_ppb else (COLLAR_PPB, 1)
    price = distant(best, ppb, rules.tick, ticks, above=buys)
    low, high = limits
    if buys:
        return min(price, high) if high else price
    return max(price, low) if low else price
