"""What others need to know of an instrument, and marks over the ticks."""

from __future__ import annotations

import msgspec

from market.simulation.companies import SECTORS_ZH
from market.simulation.stock import LOT, Stock


class Listing(msgspec.Struct, frozen=True):
    """An instrument as it enters the world. Prices are scaled by 10**price_exponent."""

    symbol: str
    name: str
    name_zh: str
    sector: str
    sector_zh: str
    price: int  # the first fair value, at start_ns
    previous_close: int  # of the day before start_ns
    price_exponent: int = 2
    qty_exponent: int = 0
    tick: int = 1
    lot: int = LOT


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """All ticks up to a step in one number: `digest` is a chain over them, hexadecimal."""

    step: int
    ticks: int
    digest: str


def listing_of(stock: Stock) -> Listing:
    company = stock.company
    return Listing(
        symbol=company.symbol,
        name=company.name,
        name_zh=company.name_zh,
        sector=company.sector,
        sector_zh=SECTORS_ZH[company.sector],
        price=stock.last,
        previous_close=stock.previous_close,
    )
