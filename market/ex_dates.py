"""The announced corporate actions of a world, and the previous closes they adjust."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from market.ex_price import Terms, ex_price
from market.models import CorporateAction


def terms_of(action: CorporateAction) -> Terms:
    """What it takes off, and adds to, one share."""
    scale = 10**action.instrument.price_exponent
    price = int((action.price or 0) * scale)
    match action.kind:
        case CorporateAction.Kind.DIVIDEND:
            return Terms(dividend=Fraction(action.amount or 0) * scale)
        case CorporateAction.Kind.SPLIT | CorporateAction.Kind.BONUS:
            return Terms(bonus=Fraction(action.new, action.old) - 1)
        case CorporateAction.Kind.RIGHTS:
            return Terms(rights=Fraction(action.new, action.old), price=price)
    return Terms()


def ex_price_of(action: CorporateAction, close: int) -> int:
    """What this action alone makes of a close."""
    return ex_price(close, [terms_of(action)], action.instrument.tick)


class ExDates:
    """A feed's memory of what was announced. `read` again whenever there is time: it asks the database."""

    def __init__(self, world_number: int):
        self.world_number = world_number
        self._announced: dict[str, list[tuple[date, Terms, int]]] = {}

    def read(self) -> None:
        rows = CorporateAction.objects.filter(world_id=self.world_number, withdrawn=False)
        announced: dict[str, list[tuple[date, Terms, int]]] = {}
        for row in rows.select_related("instrument"):
            of = announced.setdefault(row.instrument.symbol, [])
            of.append((row.ex_on, terms_of(row), row.instrument.tick))
        self._announced = announced

    def previous_close(self, symbol: str, close: int, after: date | None, day: date) -> int:
        """The close as the market day `day` counts it; `after`: the last market day, None at the first.

        A world's first day begins with closes that its source knows: nothing is taken off them.
        """
        of = self._announced.get(symbol, ())
        due = [(terms, tick) for ex_on, terms, tick in of if after is not None and after < ex_on <= day]
        return ex_price(close, [terms for terms, _ in due], due[0][1]) if due else close
