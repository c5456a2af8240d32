"""What an ex-date makes of yesterday's close. Pure; whole numbers and fractions only.

    ex price = (close - dividend + rights price x rights ratio) / (1 + bonus ratio + rights ratio)

Source: 除权（息）参考价格 of the SSE and SZSE trading rules; halves are rounded up to the tick. A split is
bonus shares of (new - old) / old.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from simgame.kernel.money import half_up


class Terms(NamedTuple):
    """One action, per share held: amounts in scaled price units."""

    dividend: Fraction = Fraction(0)
    bonus: Fraction = Fraction(0)  # new shares for nothing; negative for a reverse split
    rights: Fraction = Fraction(0)  # new shares for `price` each
    price: int = 0


def ex_price(close: int, actions: Iterable[Terms], tick: int) -> int:
    """The reference price of the ex-date, at least one tick; 0 when the close is unknown."""
    if close <= 0:
        return 0
    worth, shares = Fraction(close), Fraction(1)
    for each in actions:
        worth += each.price * each.rights - each.dividend
        shares += each.bonus + each.rights
    if worth <= 0 or shares <= 0:
        return tick
    price = worth / shares
    return max(half_up(price.numerator, price.denominator * tick) * tick, tick)
