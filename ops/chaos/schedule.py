"""Which fault in which cycle: all chosen ones in turn, in an order that the seed shuffles. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    cycle: int  # from 1
    fault: str
    seed: str

    @property
    def chance(self) -> random.Random:
        """Everything that this cycle leaves to chance; the same again for the same seed."""
        return random.Random(self.seed)


def steps(cycles: int, seed: int, faults: Sequence[str]) -> list[Step]:
    """`cycles` of them. Each fault comes before any comes again; one named twice comes twice as often."""
    assert faults, "no fault is chosen"
    order = random.Random(f"schedule {seed}")
    deck: list[str] = []
    made: list[Step] = []
    for cycle in range(1, cycles + 1):
        if not deck:
            deck = list(faults)
            order.shuffle(deck)
        made.append(Step(cycle, deck.pop(), f"{seed}:{cycle}"))
    return made
