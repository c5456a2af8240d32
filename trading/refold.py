"""What a position would be, had some of its fills not been: the fold of its history, again. Pure.

The arithmetic is that of `engine/fills.py`: average cost, fees included, and what is sold takes its share
of the cost along, rounded down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple


class Step(NamedTuple):
    """One thing that happened to a position, in order.

    `fill`: its n; 0 for a correction by an operator or, when `exact`, for a step of a corporate action,
    which changes quantity, cost and result as it says.
    """

    fill: int
    qty: int
    buys: bool = True
    cash: int = 0
    fee: int = 0
    exact: bool = False
    cost: int = 0
    realised: int = 0


class Folded(NamedTuple):
    qty: int
    cost: int
    realised: int
    missing: int  # sold, though not held without the undone fills: bought at the fair price instead


def fold(
    steps: Iterable[Step], undone: frozenset[int] = frozenset(), worth: Callable[[int], int] = int
) -> Folded:
    """`worth(qty)`: minor units that so many cost at the fair price."""
    qty = cost = realised = missing = 0
    for step in steps:
        if step.fill in undone:
            continue
        if step.exact:
            qty, cost, realised = qty + step.qty, cost + step.cost, realised + step.realised
        elif step.buys:
            qty, cost = qty + step.qty, cost + step.cash + step.fee
        else:
            lacks = max(step.qty - qty, 0)
            qty, cost, missing = qty + lacks, cost + worth(lacks), missing + lacks
            gone = cost * step.qty // qty
            qty, cost = qty - step.qty, cost - gone
            realised += step.cash - step.fee - gone
    return Folded(qty, cost, realised, missing)
