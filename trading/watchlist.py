"""The ordinary list of a portfolio: the oldest of its watchlists; `trading.watchlists` writes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from trading import watchlists
from trading.models import Watchlist

FIRST: Final = "Watching"


def choose(portfolio_id: int, symbols: Iterable[str], seen: str | None = None) -> Watchlist:
    """The ordinary list anew, made where there is none. Raises as `watchlists.change`."""
    found = row_of(portfolio_id)
    if found is None:
        return watchlists.make(portfolio_id, FIRST, symbols)
    return watchlists.change(portfolio_id, str(found.pk), None, symbols, seen)


def row_of(portfolio_id: int) -> Watchlist | None:
    return next(iter(watchlists.of(portfolio_id)), None)


def of(portfolio_id: int) -> list[str]:
    found = row_of(portfolio_id)
    return list(found.symbols) if found else []
