"""What an order costs beyond its price.

A fee line asks F(n, q) of an order whose fills are worth n minor units for q units so far: n x rate +
q x unit, halves rounded up, at least `least` once anything is filled and at most `most`. A fill pays
the difference, so the minimum is taken once per order and the fills' fees add up to F of the whole.

A sell never costs more than it brings: while its proceeds are smaller than the minimum, the lines
take, in their order, what there is, and the rest with the next fill. So selling needs no free cash.

Where a venue tells makers from takers, each fill pays for itself, as those venues charge: n x rate of its
own worth, rounded down, by what the order did in that trade. A buy holds what the dearer of the two would
cost, over the whole order: never less than its fills, each rounded down, can come to.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd
from typing import Any, Final, NamedTuple

from market.rulebook.rules import PPB, FeeRule, InstrumentRules

TABLES_KEPT: Final = 1_024  # more than all boards of a world have, with sides, effects and roles


class Line(NamedTuple):
    """F(n, q) of one line: (n x rate + q x unit + half) // of, then `least` and `most`."""

    rate: int
    unit: int
    half: int
    of: int
    least: int
    most: int


def _line(rule: FeeRule) -> Line:
    """In the smallest numbers: small ones are what Python divides fast. `of` is even, for its half."""
    shared = gcd(rule.rate_ppb, rule.unit_ppb, PPB // 2)
    of = PPB // shared
    return Line(rule.rate_ppb // shared, rule.unit_ppb // shared, of // 2, of, rule.least, rule.most)


def _plain(lines: list[Line]) -> list[tuple[int, int, int, int]] | None:
    """Rate, half, of and least of each, when none counts units or has a most: as shares have them."""
    if any(line.unit or line.most for line in lines):
        return None
    return [(line.rate, line.half, line.of, line.least) for line in lines]


def _form(rule: FeeRule) -> dict[str, Any]:
    """What a receipt tells of the line, before there are amounts."""
    form = {
        "name": rule.name,
        "base": 0,
        "charged": 0,
        "rate_ppb": rule.rate_ppb,
        "least": rule.least,
        "amount": 0,
        "row": rule.row,
    }
    if rule.unit_ppb:
        form |= {"qty": 0, "unit_ppb": rule.unit_ppb}
    if rule.most:
        form["most"] = rule.most
    return form


class FeeLines:
    """The fee lines of one side of an instrument."""

    __slots__ = ("_forms", "_lines", "_nothing", "_plain", "rules")

    def __init__(self, rules: tuple[FeeRule, ...]) -> None:
        self.rules = rules
        self._lines = [_line(rule) for rule in rules]
        self._plain = _plain(self._lines)
        self._forms = [(rule.name, _form(rule), bool(rule.unit_ppb)) for rule in rules]
        self._nothing = [0] * len(rules)

    @property
    def tells_roles(self) -> bool:
        """Whether makers and takers pay differently here; then a fill is charged by `of_fill`."""
        return any(rule.role for rule in self.rules)

    def charge(self, worth: int, qty: int, *, capped: bool) -> list[int]:
        """F(worth, qty) of each line, in minor units. `capped`: together at most `worth` (sells)."""
        if worth == 0:
            return self._nothing
        if self._plain is not None and not capped:
            return [
                amount if (amount := (worth * rate + half) // of) > least else least
                for rate, half, of, least in self._plain
            ]
        amounts = []
        left = worth
        for rate, unit, half, of, least, most in self._lines:
            amount = (worth * rate + qty * unit + half) // of
            amount = amount if amount > least else least
            if most and amount > most:
                amount = most
            if capped and amount > left:
                amount = left
            left -= amount
            amounts.append(amount)
        return amounts

    def fill(
        self, before: list[int], worth: int, qty: int, *, capped: bool
    ) -> tuple[int, tuple[tuple[str, int], ...], list[dict[str, Any]]]:
        """What a fill pays that brings an order to (worth, qty), `before` being charged already: all of it,
        by line, and the lines of its receipt: `amount` = F(base, qty) - `charged`.
        """
        fee, named, told = 0, [], []
        afterwards = self.charge(worth, qty, capped=capped)
        for (name, form, has_units), was, now in zip(self._forms, before, afterwards):  # noqa: B905 - as many as there are rules
            amount = now - was
            line = form.copy()
            line["base"] = worth
            line["charged"] = was
            line["amount"] = amount
            if has_units:
                line["qty"] = qty
            fee += amount
            named.append((name, amount))
            told.append(line)
        return fee, tuple(named), told

    def of_fill(self, worth: int, qty: int) -> tuple[int, tuple[tuple[str, int], ...], list[dict[str, Any]]]:
        """What one fill of (worth, qty) pays by itself; in the form of `fill`."""
        left, named, told = worth, [], []
        for (name, form, has_units), rule, line in zip(self._forms, self.rules, self._lines, strict=True):
            amount = min((worth * line.rate + qty * line.unit) // line.of, left)
            left -= amount
            facts = {**form, "base": worth, "amount": amount, "role": rule.role}
            if has_units:
                facts["qty"] = qty
            named.append((name, amount))
            told.append(facts)
        return worth - left, tuple(named), told

    def total(self, worth: int, qty: int) -> int:
        """F(worth, qty) of all lines of a buy, in minor units."""
        asked = 0
        if worth and self._plain is not None:
            for rate, half, of, least in self._plain:
                amount = (worth * rate + half) // of
                asked += amount if amount > least else least
        elif worth:
            for rate, unit, half, of, least, most in self._lines:
                amount = (worth * rate + qty * unit + half) // of
                amount = amount if amount > least else least
                asked += most if most and amount > most else amount
        return asked


def lines_for(rules: InstrumentRules, side: str, effect: str, role: str) -> FeeLines:
    """The lines that a fill of this side pays, which opens or closes a position, as maker or as taker."""
    return _lines_of(rules.fees, side, effect, role)


def dearest_for(rules: InstrumentRules, side: str, effect: str) -> FeeLines:
    """What an order must be able to pay, whichever role it will have: mostly the taker's lines."""
    by_role = [_lines_of(rules.fees, side, effect, role) for role in ("taker", "maker")]
    return max(by_role, key=lambda lines: sum(rule.rate_ppb for rule in lines.rules))


@lru_cache(maxsize=TABLES_KEPT)
def _lines_of(fees: tuple[FeeRule, ...], side: str, effect: str, role: str) -> FeeLines:
    """Instruments of one board share their lines, which never change."""
    sides, effects, roles = ("both", side), ("", effect), ("", role)
    return FeeLines(
        tuple(line for line in fees if line.side in sides and line.effect in effects and line.role in roles)
    )
