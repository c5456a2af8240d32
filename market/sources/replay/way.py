"""The way inside a bar, by one stated rule. What is made by it is marked `made`. Pure.

A bar says where the price began, ended and how far it went, not when. So the bar's time is cut into
equal steps, and in three equal parts of them the price goes straight open → low → high → close when it
closed no lower than it opened, else open → high → low → close. Each corner is hit exactly; between
corners prices are rounded half up to the tick. The volume falls in equal parts on the steps, the
remainder on the first.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

PRICE_MAX = 10**12  # ticks: beyond it a number in a file is no price


class Corners(NamedTuple):
    """Prices in ticks."""

    open: int
    high: int
    low: int
    close: int


def price_at(bar: Corners, step: int, last_step: int) -> int:
    """The price at `step` of 0 … last_step. Of fewer than four steps the last is the close, else the open."""
    if last_step < 3:
        return bar.close if step == last_step else bar.open
    middle = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
    corners = (bar.open, *middle, bar.close)
    stops = (0, last_step // 3, 2 * last_step // 3, last_step)
    part = 0 if step < stops[1] else 1 if step < stops[2] else 2
    begin, end, length = corners[part], corners[part + 1], stops[part + 1] - stops[part]
    gone = step - stops[part]
    return (2 * (begin * length + (end - begin) * gone) + length) // (2 * length)


def size_at(volume: int, step: int, steps: int) -> int:
    parts, rest = divmod(volume, steps)
    return parts + (rest if step == 0 else 0)


def ticks_of(value: str, tick: Decimal) -> int:
    """A price as a whole number of ticks, rounded half up. Raises ValueError, InvalidOperation."""
    scaled = Decimal(value) / tick
    if not scaled.is_finite() or not 0 < scaled < PRICE_MAX:
        raise ValueError("not a price")
    return int(scaled.to_integral_value(ROUND_HALF_UP))
