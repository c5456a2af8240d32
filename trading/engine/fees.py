"""What an order costs beyond its price.

A fee line asks F(n) of an order whose fills are worth n minor units so far: the rate of n, halves
rounded up, but at least `least` once anything is filled. A fill pays the difference, so the minimum
is taken once per order and the fills' fees add up to F of the whole.

A sell never costs more than it brings: while its proceeds are smaller than the minimum, the lines
take, in their order, what there is, and the rest with the next fill. So selling needs no free cash.
"""

from __future__ import annotations

from collections.abc import Sequence

from market.rulebook.rules import PPB, FeeRule, InstrumentRules


def lines_for(rules: InstrumentRules, side: str) -> tuple[FeeRule, ...]:
    return tuple(line for line in rules.fees if line.side in ("both", side))


def charge(lines: Sequence[FeeRule], worth: int, *, capped: bool) -> list[int]:
    """F(worth) of each line, in minor units. `capped`: together at most `worth` (sells)."""
    if worth == 0:
        return [0] * len(lines)
    amounts = []
    left = worth
    for line in lines:
        amount = max((2 * worth * line.rate_ppb + PPB) // (2 * PPB), line.least)
        if capped:
            amount = min(amount, left)
            left -= amount
        amounts.append(amount)
    return amounts


def total(lines: Sequence[FeeRule], worth: int) -> int:
    """F(worth) of all lines of a buy, in minor units."""
    asked = 0
    if worth:
        for line in lines:
            asked += max((2 * worth * line.rate_ppb + PPB) // (2 * PPB), line.least)
    return asked
