"""What the engine's modules hand each other, as plain records.

The structs of msgspec are here and in `commands.py`, `events.py`, `draft.py` and `invariants.py`: these stay
Python where the other modules are compiled.
"""

from __future__ import annotations

import msgspec

from trading.engine.commands import MarginTerms
from trading.engine.orders import Order


class Step(msgspec.Struct, frozen=True, gc=False):
    """One piece of a walk: `size` at `price`, from `maker` or, when None, from displayed depth."""

    price: int
    size: int
    shown: int  # what was there: displayed size not yet taken, or what the maker still wants
    maker: Order | None


class Walk(msgspec.Struct, frozen=True, gc=False):
    steps: list[Step]
    filled: int
    own: Order | None  # the walk met an order of the same portfolio, and stopped
    beyond: tuple[int, int] | None  # the next level, which it did not touch: price, displayed size


class PortfolioState(msgspec.Struct, frozen=True, gc=False):
    """What must be known of a portfolio to restore it; its money comes with the balances."""

    portfolio: int
    currency: str
    status: str = "active"
    reason: str = ""
    margin: MarginTerms | None = None
    call_ns: int = 0
    accrued_day: int = 0
