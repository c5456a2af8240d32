"""The venue's halts of prices that move too far too fast. The rulebook states them. Pure."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from market.simulation.scenarios import STEPS_PER_S

PARTS: Final = 10  # the time looked back on is kept in so many pieces
MILLION: Final = 10**6


class Breaker(NamedTuple):
    """A trade more than `move_ppm` away from any other of the last `within_s` halts for `halt_s`."""

    move_ppm: int
    within_s: int
    halt_s: int


class Recent:
    """The lowest and highest trade of the last while, by pieces: so it reaches back up to a piece further."""

    __slots__ = ("high", "low", "next_step", "pieces")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.pieces: list[tuple[int, int]] = []  # lowest and highest trade of each, the latest last
        self.low = self.high = self.next_step = 0  # over all pieces; 0: no trade yet

    def trips(self, price: int, step: int, breaker: Breaker) -> bool:
        """Whether a trade at `price` halts; it is remembered."""
        if step >= self.next_step:
            self._turn(step, breaker)
        if not self.low:
            self.pieces[-1] = (price, price)
            self.low = self.high = price
            return False
        if price < self.low or price > self.high:
            lowest, highest = self.pieces[-1]
            self.pieces[-1] = (min(lowest or price, price), max(highest, price))
            self.low, self.high = min(self.low, price), max(self.high, price)
            up = price * MILLION > self.low * (MILLION + breaker.move_ppm)
            return up or price * MILLION < self.high * (MILLION - breaker.move_ppm)
        lowest, highest = self.pieces[-1]
        if not lowest or price < lowest or price > highest:
            self.pieces[-1] = (min(lowest or price, price), max(highest, price))
        return False

    def _turn(self, step: int, breaker: Breaker) -> None:
        """A new piece begins; those that are too old go."""
        length = max(breaker.within_s * STEPS_PER_S // PARTS, 1)
        passed = 1 + (step - self.next_step) // length if self.next_step else 1
        empty = [(0, 0)] * min(passed, PARTS + 1)
        self.pieces = (self.pieces + empty)[-PARTS - 1 :]
        self.next_step = step - (step - self.next_step) % length + length if self.next_step else step + length
        self.low = min((low for low, _ in self.pieces if low), default=0)
        self.high = max(high for _, high in self.pieces)

    def freeze(self) -> list[Any]:
        return [self.pieces, self.next_step]

    def thaw(self, frozen: list[Any]) -> None:
        pieces, self.next_step = frozen
        self.pieces = [(low, high) for low, high in pieces]
        self.low = min((low for low, _ in self.pieces if low), default=0)
        self.high = max((high for _, high in self.pieces), default=0)
