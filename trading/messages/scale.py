"""How an instrument's whole numbers are read: decimals, currency, and what kind of thing it is."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from market.models import Instrument
from simgame.kernel import money
from trading.engine.rates import PAIRS


class Scale(msgspec.Struct, frozen=True):
    """How to read an instrument's numbers."""

    symbol: str
    uid: str
    currency: str
    price_exponent: int
    qty_exponent: int
    multiplier: int
    asset_class: str
    is_contract: bool = False  # nothing is paid for it: it is worth its open result
    is_pair: bool = False  # the price of one currency in another

    @property
    def cash_exponent(self) -> int:
        return money.CURRENCY_EXPONENT[self.currency]

    def price(self, scaled: int | None) -> str | None:
        return None if scaled is None else money.show(scaled, self.price_exponent)

    def qty(self, scaled: int) -> str:
        return money.show_trimmed(scaled, self.qty_exponent) if self.qty_exponent else str(scaled)

    def cash(self, minor: int) -> str:
        return money.show(minor, money.CURRENCY_EXPONENT[self.currency])


Scales = Callable[[str], Scale]


def scale_of(instrument: Instrument) -> Scale:
    return Scale(
        symbol=instrument.symbol,
        uid=str(instrument.uid),
        currency=instrument.currency,
        price_exponent=instrument.price_exponent,
        qty_exponent=instrument.qty_exponent,
        multiplier=instrument.multiplier,
        asset_class="crypto" if instrument.kind == Instrument.Kind.CRYPTO else "us_equity",
        is_contract=instrument.kind == Instrument.Kind.FUTURE,
        is_pair=instrument.kind in PAIRS,
    )
