"""Credit, short positions and contracts: what a margin portfolio owns, and what it must own.

    equity       cash + what positions are worth (short ones less than nothing) + open results of contracts
    initial      own money that its positions need to be opened, at today's marks
    maintenance  own money that they need to be kept
    available    equity - initial - what open orders hold

Securities are asked for margin of their mark, contracts of the last settlement price (CTP's
`MarginPriceType` "pre-settlement", the Chinese futures exchanges' own way). A mark is the last trade,
else the middle of the best quotes, else the previous close.

An order holds the margin of what it opens, its fees, and in full whatever its worst price is worse than
the mark: so no fill at any price it may get leaves less than the margin asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from market.rulebook.rules import PPB, InstrumentRules
from trading.engine.events import Basis

if TYPE_CHECKING:
    from trading.engine.commands import MarginTerms
    from trading.engine.markets import Market
    from trading.engine.orders import Order
    from trading.engine.state import Portfolio, Position

OPEN: Final = "open"
CLOSE: Final = "close"
CLOSE_TODAY: Final = "close_today"


class Standing(NamedTuple):
    """A margin portfolio in its home currency, minor units. Not `known` while a mark is missing."""

    equity: int
    initial: int
    maintenance: int
    known: bool


def share(rules: InstrumentRules, leverage: int, *, long: bool) -> int:
    """Own money needed to open, in parts per billion of the position's worth."""
    asked = (rules.margin_long_ppb if long else rules.margin_short_ppb) or PPB
    return asked if rules.is_contract else max(asked, PPB // leverage)


def share_kept(rules: InstrumentRules, leverage: int, *, long: bool) -> int:
    """The same to keep it: never more than to open it."""
    opened = share(rules, leverage, long=long)
    kept = rules.maintenance_long_ppb if long else rules.maintenance_short_ppb
    return min(kept, opened) if kept else opened


def part(amount: int, ppb: int) -> int:
    """A share of an amount, rounded up."""
    return -(-amount * ppb // PPB)


def converted(amount: int, rate_ppb: int) -> int:
    """An amount of another currency in the home currency, rounded down: never worth more than it is."""
    return amount if rate_ppb == PPB else amount * rate_ppb // PPB


def standing(portfolio: Portfolio) -> Standing:
    """Everything at its mark: O(its positions)."""
    assert portfolio.margin is not None
    leverage, rates, home = portfolio.margin.leverage, portfolio.rates, portfolio.currency
    equity = initial = maintenance = 0
    known = True
    for currency, cash in portfolio.cashes.items():
        rate = rates.ppb(currency, home)
        equity += converted(cash.posted, rate)
        known = known and (rate > 0 or not cash.posted)
    for position in portfolio.positions.values():
        qty, market = position.held.posted, position.market
        if not qty:
            continue
        rules, mark = market.rules, market.mark()
        rate = rates.ppb(market.currency, home)
        if rules is None or not mark or not rate:
            known = False
            equity += 0 if position.is_contract else position.cost
            continue
        worth = market.worth(mark, qty)
        equity += converted(worth - position.cost if position.is_contract else worth, rate)
        asked_of = abs(converted(market.worth(market.margin_price(), qty), rate))
        initial += part(asked_of, share(rules, leverage, long=qty > 0))
        maintenance += part(asked_of, share_kept(rules, leverage, long=qty > 0))
    return Standing(equity, initial, maintenance, known)


def available(portfolio: Portfolio) -> int:
    """What new positions may ask of it now; less than nothing when the market took it."""
    now = standing(portfolio)
    return now.equity - now.initial - portfolio.cash.reserved


def basis_of(portfolio: Portfolio, market: Market) -> Basis:
    """What a hold is computed from, as it is now. The mark is 0 when nothing is known."""
    rate = portfolio.rates.ppb(market.currency, portfolio.currency)
    return Basis(market.mark(), market.margin_price(), rate)


def hold_of(order: Order) -> int:
    """What an open order holds back of available money, in the home currency."""
    assert order.terms is not None
    assert order.terms.basis is not None
    return hold(
        order.portfolio.margin,
        order.market,
        order.terms.basis,
        order.effect,
        buys=order.buys,
        price=order.price,
        leaves=order.leaves,
        filled=(order.filled_cash, order.filled_qty),
    )


def hold(
    terms: MarginTerms | None,
    market: Market,
    basis: Basis,
    effect: str,
    *,
    buys: bool,
    price: int,
    leaves: int,
    filled: tuple[int, int],  # cash and quantity of its fills so far
) -> int:
    """Margin of what it opens + what its worst price is worse than the mark + fees, rounded up."""
    assert terms is not None
    assert market.rules is not None
    at_worst, at_mark = market.worth_at_most(price, leaves), market.worth_at_most(basis.mark, leaves)
    worse = max(at_worst - at_mark if buys else at_mark - market.worth(price, leaves), 0)
    margin = 0
    if effect == OPEN:
        asked = share(market.rules, terms.leverage, long=buys)
        margin = part(market.worth_at_most(basis.margin_at, leaves), asked)
    total = market.fees(effect, buys=buys).total
    cash, qty = filled
    fees = total(cash + max(at_worst, at_mark), qty + leaves) - (total(cash, qty) if cash else 0)
    return part(margin + worse + fees, basis.rate_ppb)


def effect_of(position: Position | None, market: Market, intent: str, *, buys: bool) -> str:
    """What an order does to the position: the player's word for it, else what the position says.

    Where today's and yesterday's lots are told apart, an order without a word closes yesterday's, and
    today's when no others can be closed.
    """
    said = intent.partition("_to_")[2]
    if said:
        return CLOSE if said == CLOSE_TODAY and not market.parts_today else said
    held = position.held.posted if position else 0
    if position is None or (held <= 0 if not buys else held >= 0):
        return OPEN
    if market.parts_today and not position.closable(CLOSE):
        return CLOSE_TODAY
    return CLOSE
