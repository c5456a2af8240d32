"""Money and quantities are whole numbers. This is the only module that rounds.

A **scaled integer** is a decimal times 10**exponent: price 42.18 with exponent 2 is 4218. Cash is
in minor units of its currency (CNY: exponent 2). `float` never touches money; on the wire a number
is a decimal string.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Final

PPB: Final = 1_000_000_000  # rates (fees, bands) are parts per billion
INT64_MAX: Final = 2**63 - 1

# Minor units per currency: ISO 4217, and what crypto venues print.
CURRENCY_EXPONENT: Final = {"CNY": 2, "USD": 2, "EUR": 2, "USDT": 8, "BUSD": 8, "BTC": 8, "ETH": 8, "TRY": 2}

# What nearly everybody sends, and short enough that 64 bits hold it with any exponent up to 8.
_PLAIN: Final = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,8}))?").fullmatch


class NotExact(ValueError):
    """The text is a number, but it has more digits than the exponent allows."""


def parse(value: object, exponent: int) -> int:
    """The scaled integer of a decimal string, int or JSON number.

    Raises ValueError when `value` is no finite plain number or does not fit 64 bits, and NotExact
    when it has more decimals than `exponent`. Full-width digits, NaN, infinity, booleans and
    absurd exponents are refused.
    """
    if type(value) is str and (plain := _plain(value, exponent)) is not None:
        return plain
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError("not a number")
    text = str(value).strip()
    if not text.isascii() or "_" in text or len(text) > 40:
        raise ValueError("not a plain decimal number")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError("not a number") from None
    if not number.is_finite() or number.adjusted() > 18:
        raise ValueError("not a finite number of reasonable size")
    if number and number.adjusted() < -18:
        raise NotExact(_too_exact(exponent))
    scaled = number.scaleb(exponent)
    if scaled != scaled.to_integral_value():
        raise NotExact(_too_exact(exponent))
    if abs(scaled) > INT64_MAX:
        raise ValueError("number too large")
    return int(scaled)


@lru_cache(16_384)  # prices and quantities come again and again
def _plain(text: str, exponent: int) -> int | None:
    """The scaled integer of what nearly everybody sends; None for what `parse` has to look at."""
    found = _PLAIN(text)
    if found is None:
        return None
    whole, decimals = found.groups("")
    return int(whole + decimals.ljust(exponent, "0")) if len(decimals) <= exponent else None


def _too_exact(exponent: int) -> str:
    return f"more than {exponent} decimals" if exponent else "a whole number, without decimals"


@lru_cache(16_384)  # prices, quantities and nothing come again and again
def show(scaled: int, exponent: int) -> str:
    """The decimal string of a scaled integer: show(4218, 2) == "42.18"."""
    if exponent == 0:
        return str(scaled)
    text = str(scaled)
    if scaled >= 0 and len(text) > exponent:
        return f"{text[:-exponent]}.{text[-exponent:]}"
    sign, digits = ("-", str(-scaled)) if scaled < 0 else ("", str(scaled))
    digits = digits.rjust(exponent + 1, "0")
    return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}"


def show_trimmed(scaled: int, exponent: int) -> str:
    """As `show`, without trailing zeros: "100" instead of "100.00000000"."""
    text = show(scaled, exponent)
    return text.rstrip("0").rstrip(".") if "." in text else text


def rescale_down(amount: int, shift: int) -> int:
    """amount / 10**shift, rounded towards minus infinity (shift < 0 multiplies, exactly)."""
    return amount * 10**-shift if shift <= 0 else amount // 10**shift


def rescale_up(amount: int, shift: int) -> int:
    """amount / 10**shift, rounded up: what a reservation must hold."""
    return amount * 10**-shift if shift <= 0 else -(-amount // 10**shift)


def half_up(numerator: int, denominator: int) -> int:
    """numerator / denominator of whole numbers ≥ 0, halves rounded up (as exchanges round limits)."""
    return (2 * numerator + denominator) // (2 * denominator)


def fee_of(notional_minor: int, rate_ppb: int) -> int:
    """A proportional fee in minor units, halves rounded up."""
    return half_up(notional_minor * rate_ppb, PPB)
