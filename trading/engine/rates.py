"""What one currency is worth in another: the marks of the world's own currency pairs."""

from __future__ import annotations

from typing import Final

from market.rulebook.rules import PPB
from simgame.kernel.money import CURRENCY_EXPONENT
from trading.engine.markets import Market

PAIRS: Final = frozenset(("fx", "crypto"))  # kinds of instruments whose symbol names two currencies


class Rates:
    """Pairs are instruments named base + quote ("EURUSD", "EUR/USD", "BTCUSDT"), priced in the quote."""

    __slots__ = ("_pairs",)

    def __init__(self) -> None:
        self._pairs: dict[tuple[str, str], Market] = {}

    def note(self, market: Market) -> None:
        """An instrument has got rules: it may be a pair."""
        rules = market.rules
        if rules is None or rules.kind not in PAIRS:
            return
        base = base_of(rules.symbol, rules.currency)
        if base in CURRENCY_EXPONENT and rules.currency in CURRENCY_EXPONENT:
            self._pairs[base, rules.currency] = market

    def has(self, market: Market) -> bool:
        """Whether it is a pair: then every margin portfolio with both currencies depends on its mark."""
        return any(pair is market for pair in self._pairs.values())

    def ppb(self, currency: str, home: str) -> int:
        """Minor units of `home` for one of `currency`, in parts per billion; 0 when nobody knows.

        The pair itself, else the other way round; never over a third currency.
        """
        if currency == home:
            return PPB
        if direct := self._pairs.get((currency, home)):
            return pair_ppb(direct.mark(), _exponent(direct), currency, home)
        back = self._pairs.get((home, currency))
        return inverse_ppb(back.mark(), _exponent(back), currency, home) if back else 0


def base_of(symbol: str, quote: str) -> str:
    return symbol.replace("/", "").replace("-", "").removesuffix(quote)


def pair_ppb(price: int, exponent: int, base: str, quote: str) -> int:
    """One minor unit of `base` in minor units of `quote`, at a scaled price; rounded down."""
    return price * PPB * 10 ** CURRENCY_EXPONENT[quote] // 10 ** (CURRENCY_EXPONENT[base] + exponent)


def inverse_ppb(price: int, exponent: int, quote: str, base: str) -> int:
    """One minor unit of `quote` in minor units of `base`, at a scaled price of base in quote."""
    if not price:
        return 0
    return PPB * 10 ** (CURRENCY_EXPONENT[base] + exponent) // (price * 10 ** CURRENCY_EXPONENT[quote])


def _exponent(market: Market) -> int:
    return market.rules.price_exponent if market.rules else 0
