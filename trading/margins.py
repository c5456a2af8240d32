"""What a margin portfolio must own, read from the tables: the shares of trading.engine.margin."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from market import queries as market_queries
from market import rulebook
from market.models import Instrument
from market.rulebook import InstrumentRules
from simgame.kernel import clock
from trading.engine import margin
from trading.engine.commands import MarginTerms
from trading.messages import Scale, scale_of
from trading.models import Portfolio, Position
from trading.portfolios import Rates, Worth, value_of


class Asked(NamedTuple):
    """Minor units of the portfolio's currency. `available` may be less than nothing."""

    initial: int
    maintenance: int
    available: int
    leverage: int
    shorts: bool
    call_until: str | None  # world time, RFC 3339


def terms_of(portfolio: Portfolio) -> MarginTerms | None:
    return None if portfolio.margin is None else msgspec.convert(portfolio.margin, MarginTerms)


def of(portfolio: Portfolio, worth: Worth, reserved: int) -> Asked | None:
    """What its positions ask now; None for a cash portfolio. `reserved`: what its open orders hold."""
    terms = terms_of(portfolio)
    if terms is None:
        return None
    world, home = portfolio.game.world, portfolio.game.currency
    held = {row.symbol: row for row in Position.objects.filter(portfolio=portfolio).exclude(qty=0)}
    day = rulebook.as_date(market_queries.rules_day(world))
    book, marks = rulebook.load(world.rulebook), market_queries.marks(world)
    listed = list(Instrument.objects.filter(world=world))
    rates = Rates(marks, {row.symbol: scale_of(row) for row in listed}, home)
    settled = market_queries.settlements(world)
    initial = maintenance = 0
    for instrument in listed:
        if (row := held.get(instrument.symbol)) is None:
            continue
        rules, scale = book.rules_for(instrument, day), scale_of(instrument)
        mark = settled.get(row.symbol, 0), *marks.get(row.symbol, (0, 0))
        asked_of = rates.home(_asked_of(row, rules, scale, mark), scale.currency)
        initial += margin.part(asked_of, margin.share(rules, terms.leverage, long=row.qty > 0))
        maintenance += margin.part(asked_of, margin.share_kept(rules, terms.leverage, long=row.qty > 0))
    until = clock.rfc3339(portfolio.margin_call_ns) if portfolio.margin_call_ns else None
    free = worth.equity - initial - reserved
    return Asked(initial, maintenance, free, terms.leverage, terms.shorts, until)


def _asked_of(row: Position, rules: InstrumentRules, scale: Scale, mark: tuple[int, int, int]) -> int:
    """A security's worth at its mark, a contract's at the last settlement price."""
    settled, last, previous = mark
    price = settled or previous or last if rules.is_contract else last
    return abs(value_of(row.qty, price, scale)) if price else abs(row.cost)


def shown(portfolio: Portfolio) -> dict[str, Any] | None:
    """For a desk: the terms, and per instrument held what share of its worth it asks for.

    Parts per billion, to open it and to keep it; None for a cash portfolio.
    """
    terms = terms_of(portfolio)
    if terms is None:
        return None
    world = portfolio.game.world
    symbols = Position.objects.filter(portfolio=portfolio).exclude(qty=0).values_list("symbol", flat=True)
    day, book = rulebook.as_date(market_queries.rules_day(world)), rulebook.load(world.rulebook)
    rates = {}
    for instrument in Instrument.objects.filter(world=world, symbol__in=list(symbols)):
        rules = book.rules_for(instrument, day)
        rates[instrument.symbol] = {
            name: [share(rules, terms.leverage, long=long) for share in (margin.share, margin.share_kept)]
            for name, long in (("long", True), ("short", False))
        }
    return {"leverage": terms.leverage, "shorts_allowed": terms.shorts, "rates": rates}
