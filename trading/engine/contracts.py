"""The day's end of contracts: marked to the settlement price, and closed at it when they expire.

A contract's day begins with the Reference that tells the settlement price of the day before; until it
comes, nothing in that contract is matched. Every position is then paid its result since it was opened or
last settled (Shanghai Futures Exchange, Risk Control Rules: daily no-debt settlement, "当日无负债结算"),
and today's lots become yesterday's. A contract whose last day is over is closed at its settlement price,
in cash: nothing is delivered, and no fee is asked.
"""

from __future__ import annotations

from market.ticks import Reference
from simgame.kernel.money import show
from trading.engine import positions, receipts
from trading.engine.accounts import CLEARING
from trading.engine.events import Notice
from trading.engine.margin import CLOSE_TODAY
from trading.engine.markets import Market
from trading.engine.matching import end
from trading.engine.orders import MASS_CANCEL, by_priority
from trading.engine.state import Portfolio, Position
from trading.engine.turn import EXPIRY, Turn

OF_YESTERDAY = receipts.rule("position_intent", "A new day: what it was to close is no position of today.")
EXPIRED = receipts.rule("last_day", "The contract has expired.")


def await_settlement(turn: Turn) -> None:
    """A new market day: contracts wait for their settlement price."""
    for market in turn.state.markets.values():
        if market.rules is not None and market.rules.is_contract:
            market.unsettled = (
                market.reference is None or market.reference.market_day != turn.state.market_day
            )
            market.refresh()


def settle(turn: Turn, market: Market, reference: Reference) -> None:
    """The reference of a market day has come: once per position and day."""
    market.unsettled = reference.market_day != turn.state.market_day
    market.refresh()
    price, rules = reference.settlement or reference.previous_close, market.rules
    assert rules is not None
    if not price:
        return
    expired = 0 < rules.last_day < reference.market_day
    for portfolio, position in positions.holders_of(turn.state, market.symbol):
        if position.market_day < reference.market_day:
            _mark(turn, portfolio, position, price, reference.market_day)
        if expired:
            _expire(turn, portfolio, position, price)
    for order in sorted(market.orders(), key=by_priority):
        if expired:
            end(turn, order, MASS_CANCEL, "NOT_TRADABLE", EXPIRED)
        elif order.effect == CLOSE_TODAY and order.market_day < reference.market_day:
            end(turn, order, MASS_CANCEL, "POSITION_INTENT", OF_YESTERDAY)


def _mark(turn: Turn, portfolio: Portfolio, position: Position, price: int, day: int) -> None:
    market, qty = position.market, position.held.posted
    worth = market.worth(price, qty)
    result = worth - position.cost
    positions.pay(turn, portfolio, position, result)
    position.cost = worth
    position.realised += result
    position.market_day = day
    position.bought_today = position.day_cash = 0
    position.day_start_qty = qty
    turn.touch_position(position)
    rules = market.rules
    assert rules is not None
    facts = {"symbol": market.symbol, "price": price, "qty": qty, "result": result}
    text = (
        f"{market.symbol} was settled at {show(price, rules.price_exponent)}: "
        f"{show(result, rules.cash_exponent)} {rules.currency}."
    )
    turn.events.append(Notice(portfolio.id, "SETTLED", text, facts))


def _expire(turn: Turn, portfolio: Portfolio, position: Position, price: int) -> None:
    market, qty = position.market, position.held.posted
    for order in sorted(portfolio.orders.values(), key=by_priority):
        if order.market is market:
            end(turn, order, MASS_CANCEL, "NOT_TRADABLE", EXPIRED)
    clearing = turn.state.system(CLEARING, position.held.asset)
    debit, credit = (position.held, clearing) if qty > 0 else (clearing, position.held)
    turn.transfer(EXPIRY, debit, credit, abs(qty))
    position.cost = position.bought_today = position.day_start_qty = 0
    positions.note_holder(portfolio, position, 0)
    turn.touch_position(position)
    text = f"{market.symbol} has expired: your position was settled in cash."
    facts = {"symbol": market.symbol, "price": price, "qty": qty}
    turn.events.append(Notice(portfolio.id, "EXPIRED", text, facts))
