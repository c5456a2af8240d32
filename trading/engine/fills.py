"""A fill is booked: fees, the order's sums and reservation, the position, the transfers, the row."""

from __future__ import annotations

from typing import Any, Final, Literal

from trading.engine import positions
from trading.engine.accounts import FEES, MARKET
from trading.engine.events import FillRow
from trading.engine.orders import Order
from trading.engine.state import Balance, Position, State
from trading.engine.turn import FEE, TRADE_ASSET, TRADE_CASH, Turn

TAKER: Final = "taker"  # it met what was there
MAKER: Final = "maker"  # it rested, and was met


def trade_with_market(
    turn: Turn, order: Order, price: int, qty: int, facts: dict[str, Any], role: str = TAKER
) -> None:
    """One row: the world's own account takes the other side."""
    state, market, portfolio = turn.state, order.market, order.portfolio
    house = state.house
    cash = market.worth(price, qty)
    n = state.fills_n + 1
    position = portfolio.positions.get(market.symbol) or state.position(portfolio, market)
    own_cash = portfolio.cash if portfolio.margin is None else _cash_of(state, order)
    own_asset = position.held
    market_cash, market_asset = house[MARKET, own_cash.asset], house[MARKET, own_asset.asset]
    _book(turn, order, position, own_cash, n, price, qty, cash, "market", facts, role)
    paid = 0 if market.is_contract else cash
    if order.buys:
        turn.transfer(TRADE_CASH, own_cash, market_cash, paid, n)
        turn.transfer(TRADE_ASSET, market_asset, own_asset, qty, n)
    else:
        turn.transfer(TRADE_CASH, market_cash, own_cash, paid, n)
        turn.transfer(TRADE_ASSET, own_asset, market_asset, qty, n)


def trade_with_player(
    turn: Turn,
    taker: Order,
    maker: Order,
    price: int,
    qty: int,
    facts: dict[str, Any],
    makers: dict[str, Any] | None = None,
) -> None:
    """Two rows of one match: at the price of the order that rested, or at an auction's.

    `facts` are the taker's receipt's; `makers` are what differs for the maker. In an auction nobody rests:
    both are takers.
    """
    state = turn.state
    cash = maker.market.worth(price, qty)
    n = state.fills_n + 1
    buyer, seller = (taker, maker) if taker.buys else (maker, taker)
    given = state.position(seller.portfolio, seller.market)
    gotten = state.position(buyer.portfolio, buyer.market)
    takers_cash, makers_cash = _cash_of(state, taker), _cash_of(state, maker)
    _book(turn, taker, gotten if taker.buys else given, takers_cash, n, price, qty, cash, "player", facts)
    facts = {**facts, **makers} if makers else facts
    role = MAKER if makers else TAKER
    _book(
        turn, maker, gotten if maker.buys else given, makers_cash, n, price, qty, cash, "player", facts, role
    )
    if not given.is_contract:
        debit, credit = (takers_cash, makers_cash) if taker.buys else (makers_cash, takers_cash)
        turn.transfer(TRADE_CASH, debit, credit, cash, n)
    turn.transfer(TRADE_ASSET, given.held, gotten.held, qty, n)


def _cash_of(state: State, order: Order) -> Balance:
    """What pays for it: only margin portfolios have cash in more than one currency."""
    portfolio = order.portfolio
    return portfolio.cash if portfolio.margin is None else state.cash(portfolio, order.market.currency)


def _book(
    turn: Turn,
    order: Order,
    position: Position,
    payer: Balance,  # of its fees
    match: int,  # n of its first fill row
    price: int,
    qty: int,
    cash: int,  # price x qty in minor units
    against: Literal["market", "player"],
    facts: dict[str, Any],
    role: str = TAKER,
) -> None:
    """One side of a fill, before the trade's own transfers: the position still shows what was held."""
    assert price <= order.price if order.buys else price >= order.price
    state, market, portfolio = turn.state, order.market, order.portfolio
    state.fills_n += 1
    n = state.fills_n
    buys, effect, limit = order.buys, order.effect, order.limit_price
    filled = order.filled_qty + qty
    worth = order.filled_cash + cash
    if market.tells_roles:
        fee, charged, told = market.fees_as(role, effect, buys=buys).of_fill(cash, qty)
    else:
        lines = market.buy_fees if buys else market.sell_fees
        if effect:
            lines = market.fees(effect, buys=buys)
        before = lines.charge(order.filled_cash, order.filled_qty, capped=not buys)
        fee, charged, told = lines.fill(before, worth, filled, capped=not buys)
    order.filled_qty = filled
    order.filled_value += price * qty
    order.filled_cash = worth
    order.fees += fee
    if effect:
        positions.book(turn, order, position, n, qty, cash, fee)
    else:
        _book_position(turn, order, position, qty, cash, fee)
    if fee:
        turn.transfer(FEE, payer, state.house[FEES, payer.asset], fee, n)
    receipt = {
        "decided": "filled",
        "at": turn.at_ns,
        "limit_price": limit,
        **facts,
        "fees": told,
    }
    if limit is None:
        receipt["collar"] = order.price
    if effect:
        receipt["effect"] = effect
        receipt["contract"] = position.is_contract
    turn.events.append(
        FillRow(
            n,
            match,
            order.id,
            portfolio.id,
            market.symbol,
            order.side,
            price,
            qty,
            cash,
            charged,
            fee,
            against,
            state.market_day,
            turn.at_ns,
            receipt,
        )
    )


def _book_position(turn: Turn, order: Order, position: Position, qty: int, cash: int, fee: int) -> None:
    """Average cost, fees included: what is sold takes its share of the cost along, rounded down."""
    state, market = turn.state, order.market
    position.market_day = state.market_day
    state.traded[position.portfolio, position.symbol] = position
    turn.touch_position(position)
    leaves = order.qty - order.filled_qty
    if order.buys:
        paid = cash + fee
        position.cost += paid
        position.day_cash -= paid
        if market.rules is not None and market.rules.lock_days:
            position.bought_today += qty
        hold = market.reservation(order.price, leaves, order.filled_cash, order.filled_qty) if leaves else 0
        turn.reserve_cash(order, hold)
        return
    gone = position.cost * qty // position.held.posted
    position.cost -= gone
    position.realised += cash - fee - gone
    position.day_cash += cash - fee
    turn.reserve_qty(order, leaves)
