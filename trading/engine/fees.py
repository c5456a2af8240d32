"""What an order costs beyond its price.

A fee line asks F(n, q) of an order whose fills are worth n minor units for q units so far: n x rate +
q x unit, halves rounded up, at least `least` once anything is filled and at most `most`. A fill pays
the difference, so the minimum is taken once per order and the fills' fees add up to F of the whole.

A sell never costs more than it brings: while its proceeds are smaller than the minimum, the lines
take, in their order, what there is, and the rest with the next fill. So selling needs no free cash.
"""

from __future__ import annotations

from market.rulebook.rules import PPB, FeeRule, InstrumentRules

TWICE_PPB = 2 * PPB


class FeeLines:
    """The fee lines of one side of an instrument."""

    __slots__ = ("_nothing", "_rates", "rules")

    def __init__(self, rules: tuple[FeeRule, ...]) -> None:
        self.rules = rules
        self._rates = [(2 * line.rate_ppb, 2 * line.unit_ppb, line.least, line.most) for line in rules]
        self._nothing = [0] * len(rules)

    def charge(self, worth: int, qty: int, *, capped: bool) -> list[int]:
        """F(worth, qty) of each line, in minor units. `capped`: together at most `worth` (sells)."""
        if worth == 0:
            return self._nothing
        amounts = []
        left = worth
        for twice_rate, twice_unit, least, most in self._rates:
            amount = (worth * twice_rate + qty * twice_unit + PPB) // TWICE_PPB
            amount = max(amount, least)
            if most and amount > most:
                amount = most
            if capped and amount > left:
                amount = left
            left -= amount
            amounts.append(amount)
        return amounts

    def named(self, before: list[int], after: list[int]) -> tuple[tuple[str, int], ...]:
        """What each line asks now, after `before` was charged."""
        return tuple([(line.name, b - a) for line, a, b in zip(self.rules, before, after, strict=True)])

    def total(self, worth: int, qty: int) -> int:
        """F(worth, qty) of all lines of a buy, in minor units."""
        asked = 0
        if worth:
            for twice_rate, twice_unit, least, most in self._rates:
                amount = (worth * twice_rate + qty * twice_unit + PPB) // TWICE_PPB
                amount = amount if amount > least else least
                asked += most if most and amount > most else amount
        return asked


def lines_for(rules: InstrumentRules, side: str, effect: str) -> FeeLines:
    """The lines that a fill of this side pays, which opens or closes a position."""
    sides, effects, roles = ("both", side), ("", effect), ("", "taker")
    return FeeLines(
        tuple(
            line
            for line in rules.fees
            if line.side in sides and line.effect in effects and line.role in roles
        )
    )
