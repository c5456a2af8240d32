"""The symbols a player watches, in their order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from market import queries as market_queries
from simgame.kernel.errors import Invalid
from trading.models import Portfolio

SYMBOLS_MAX: Final = 200  # more than any screen shows, and no way to fill the table


def of(portfolio_id: int) -> list[str]:
    return list(Portfolio.objects.values_list("watchlist", flat=True).get(id=portfolio_id))


def choose(portfolio_id: int, symbols: Iterable[str]) -> list[str]:
    """The new list, each symbol once. Raises Invalid (too many) or UnknownInstrument."""
    wanted = list(dict.fromkeys(symbols))
    if len(wanted) > SYMBOLS_MAX:
        raise Invalid(f"A watchlist has at most {SYMBOLS_MAX} symbols.", pointer="/symbols")
    portfolio = Portfolio.objects.select_related("game__world").get(id=portfolio_id)
    market_queries.known(portfolio.game.world, wanted)
    portfolio.watchlist = wanted
    portfolio.save(update_fields=["watchlist"])
    return wanted
