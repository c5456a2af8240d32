"""A margin portfolio's position after a fill: signed, long above nothing and short below.

Average cost, fees included, with the sign of the position: what a short sale brought is a cost below
nothing. So cash = granted + realised - costs holds for securities, long and short. A contract costs
nothing: its `cost` is what it was worth when it was opened or last settled, and only the difference
from that moves, between the portfolio and the world's CLEARING account.
"""

from __future__ import annotations

from trading.engine.accounts import CLEARING
from trading.engine.margin import CLOSE_TODAY, OPEN
from trading.engine.orders import Order
from trading.engine.state import Portfolio, Position, State
from trading.engine.turn import VARIATION, Turn


def book(turn: Turn, order: Order, position: Position, fill: int, qty: int, cash: int, fee: int) -> None:
    """Before the trade's own transfers: the position still shows what was held."""
    state = turn.state
    if not position.is_contract:
        position.market_day = state.market_day
        state.traded[order.portfolio.id, position.symbol] = position
    elif not position.held.posted and position.market_day != state.market_day:
        position.market_day = state.market_day  # otherwise its day begins when it is settled
        position.day_cash = position.day_start_qty = 0
    turn.touch_position(position)
    moved = -cash if order.buys else cash
    if order.effect == OPEN:
        _open(position, order, qty, moved, fee)
    else:
        _close(turn, order, position, fill, qty, moved, fee)
    turn.hold(order)
    note_holder(order.portfolio, position, position.held.posted + (qty if order.buys else -qty))


def _open(position: Position, order: Order, qty: int, moved: int, fee: int) -> None:
    rules = position.market.rules
    assert rules is not None
    if rules.is_contract:
        position.bought_today += qty
        position.cost -= moved
        position.realised -= fee
        position.day_cash -= fee
        return
    position.cost -= moved - fee
    position.day_cash += moved - fee
    if order.buys and rules.lock_days:
        position.bought_today += qty


def _close(turn: Turn, order: Order, position: Position, fill: int, qty: int, moved: int, fee: int) -> None:
    gone = position.cost * qty // abs(position.held.posted)
    position.cost -= gone
    position.realised += moved - gone - fee
    if not position.is_contract:
        position.day_cash += moved - fee
        return
    position.day_cash += moved - gone - fee
    pay(turn, order.portfolio, position, moved - gone, fill)
    if order.effect == CLOSE_TODAY:
        position.bought_today -= qty
    else:  # the lots of yesterday go first
        position.bought_today = min(position.bought_today, abs(position.held.posted) - qty)


def pay(turn: Turn, portfolio: Portfolio, position: Position, result: int, fill: int = 0) -> None:
    """A contract's result, to the portfolio or from it."""
    state = turn.state
    cash = state.cash(portfolio, position.market.currency)
    clearing = state.system(CLEARING, cash.asset)
    debit, credit = (clearing, cash) if result > 0 else (cash, clearing)
    turn.transfer(VARIATION, debit, credit, abs(result), fill)


def note_holder(portfolio: Portfolio, position: Position, qty: int) -> None:
    """Who has a position in an instrument is looked at whenever its mark moves."""
    if qty and portfolio.margin is not None:
        position.market.holders[portfolio.id] = portfolio
    else:
        position.market.holders.pop(portfolio.id, None)


def holders_of(state: State, symbol: str) -> list[tuple[Portfolio, Position]]:
    """Margin portfolios with a position in the instrument, in order of their ids."""
    found = state.markets[symbol].holders
    return [(found[number], found[number].positions[symbol]) for number in sorted(found)]
