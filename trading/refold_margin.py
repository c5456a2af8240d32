"""The same for a margin portfolio's position: signed, and a contract's days are settled. Pure.

The arithmetic is that of `engine/positions.py` and `engine/contracts.py`. Interest and borrow fees that were
paid stay paid: they are steps like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

What = Literal["trade", "mark", "expire", "given", "exact"]


class Step(NamedTuple):
    """One thing that happened to a position, in order.

    `given`: an operator's correction. `exact`: a step of a corporate action, or a borrow fee, which changes
    quantity, cost and result as it says. `mark` and `expire`: a contract's, at `price`.
    """

    what: What
    day: int = 0  # market day of a trade
    fill: int = 0
    buys: bool = True
    qty: int = 0
    cash: int = 0
    fee: int = 0
    effect: str = ""
    price: int = 0
    cost: int = 0
    realised: int = 0


class Folded(NamedTuple):
    qty: int
    cost: int
    realised: int
    day: tuple[int, int, int]  # bought_today, day_cash, day_start_qty


class _Fold:
    """`worth(qty, price)`: signed, in minor units, rounded down as the engine does."""

    def __init__(self, *, contract: bool, locks: bool, fair: int, worth: Callable[[int, int], int]) -> None:
        self.contract, self.locks, self.fair, self.worth = contract, locks, fair, worth
        self.qty = self.cost = self.realised = self.today = self.today_cash = self.began = self.day = 0

    def step(self, step: Step) -> None:
        if step.what == "trade":
            self._begin_day(step)
            if step.effect == "open":
                self._open(step)
            else:
                self._close(step)
        elif step.what in ("mark", "expire"):
            self._mark(step)
        elif step.what == "given":
            self.qty += step.qty if step.buys else -step.qty
        else:
            self.qty, self.cost = self.qty + step.qty, self.cost + step.cost
            self.realised += step.realised

    def _begin_day(self, step: Step) -> None:
        """A contract's day begins when it is settled, and where nothing is held, with its first trade."""
        if step.day != self.day and (not self.contract or not self.qty):
            self.today = self.today_cash = 0
            self.began = self.qty
        self.day = step.day

    def _open(self, step: Step) -> None:
        """Where it is held the other way round now that a fill is not there, it closes that first."""
        against = min(step.qty, abs(self.qty)) if self.qty * (1 if step.buys else -1) < 0 else 0
        cash, fee = step.cash * against // step.qty, step.fee * against // step.qty
        if against:
            self._close(step._replace(qty=against, cash=cash, fee=fee, effect="close"))
        rest = step.qty - against
        if not rest:
            return
        signed = 1 if step.buys else -1
        worth, paid = signed * (step.cash - cash), step.fee - fee
        self.qty += signed * rest
        if self.contract:
            self.today, self.cost = self.today + rest, self.cost + worth
            self.realised, self.today_cash = self.realised - paid, self.today_cash - paid
            return
        self.cost, self.today_cash = self.cost + worth + paid, self.today_cash - worth - paid
        self.today += rest if step.buys and self.locks else 0

    def _close(self, step: Step) -> None:
        """What is not there to be closed any more counts as opened at the fair price."""
        signed = -1 if step.buys else 1  # of the position that it closes
        lacks = max(step.qty - max(self.qty * signed, 0), 0)
        if lacks:
            self.qty += signed * lacks
            self.cost += signed * self.worth(lacks, self.fair)
        gone = self.cost * step.qty // abs(self.qty)
        moved = signed * step.cash
        self.cost -= gone
        self.realised += moved - gone - step.fee
        self.today_cash += moved - step.fee - (gone if self.contract else 0)
        left = abs(self.qty) - step.qty
        if self.contract and step.effect == "close_today":
            self.today = max(self.today - step.qty, 0)
        self.today = min(self.today, left) if self.contract else self.today
        self.qty -= signed * step.qty

    def _mark(self, step: Step) -> None:
        if self.qty:
            worth = self.worth(self.qty, step.price)
            self.realised += worth - self.cost
            self.cost = worth
        self.today = self.today_cash = 0
        if step.what == "expire":
            self.qty = self.cost = 0
        self.began = self.qty

    def close_at_fair(self) -> None:
        """A contract that has expired since: what would have been held then is closed at the fair price."""
        if self.qty:
            self.realised += self.worth(self.qty, self.fair) - self.cost
            self.qty = self.cost = self.began = 0

    def folded(self) -> Folded:
        return Folded(self.qty, self.cost, self.realised, (self.today, self.today_cash, self.began))


def fold(
    steps: Iterable[Step],
    *,
    contract: bool,
    locks: bool,
    fair: int,
    worth: Callable[[int, int], int],
    undone: frozenset[int] = frozenset(),
    expired: bool = False,
) -> Folded:
    """The position after these steps, without the fills `undone`. `locks`: bought today, sold tomorrow."""
    made = _Fold(contract=contract, locks=locks, fair=fair, worth=worth)
    for step in steps:
        if step.what != "trade" or step.fill not in undone:
            made.step(step)
    if expired:
        made.close_at_fair()
    return made.folded()
