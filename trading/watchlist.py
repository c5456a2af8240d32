"""The ordinary list of a portfolio: the oldest of its watchlists; `trading.watchlists` writes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from trading import watchlists

FIRST: Final = "Watching"


def choose(portfolio_id: int, symbols: Iterable[str]) -> list[str]:
    """The ordinary list anew, made where there is none. Raises Invalid (too many) or UnknownInstrument."""
    found = next(iter(watchlists.of(portfolio_id)), None)
    if found is None:
        return list(watchlists.make(portfolio_id, FIRST, symbols).symbols)
    return list(watchlists.change(portfolio_id, str(found.pk), None, symbols).symbols)


def of(portfolio_id: int) -> list[str]:
    found = next(iter(watchlists.of(portfolio_id)), None)
    return list(found.symbols) if found else []
