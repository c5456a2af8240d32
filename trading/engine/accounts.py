"""Who stands on the two sides of a transfer: portfolios, and a world's own accounts."""

from __future__ import annotations

from typing import Final

MARKET: Final = 1  # takes the other side of every fill against displayed depth
FEES: Final = 2  # receives every fee
MINT: Final = 3  # gives start cash, and is the other side of an operator's correction
CORPORATE: Final = 4  # the issuers: the other side of dividends, new shares, rights and cash-outs

CLEARING: Final = 8  # pays and takes the daily results of contracts
LENDER: Final = 9  # lends cash and shares: takes interest and borrow fees

CODES_PER_WORLD: Final = 16


def system_account(world_number: int, code: int) -> int:
    """The id of a world's own account: negative, so that it never meets a portfolio's."""
    return -(world_number * CODES_PER_WORLD + code)
