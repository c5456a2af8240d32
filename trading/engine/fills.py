"""A fill is booked: fees, the order's sums and reservation, the position, the transfers, the row."""

from __future__ import annotations

from typing import Any, Literal

from trading.engine import receipts
from trading.engine.accounts import FEES, MARKET
from trading.engine.events import FillRow
from trading.engine.orders import Order
from trading.engine.state import Position
from trading.engine.turn import FEE, TRADE_ASSET, TRADE_CASH, Turn


def trade_with_market(turn: Turn, order: Order, price: int, qty: int, facts: dict[str, Any]) -> None:
    """One row: the world's own account takes the other side."""
    state, market = turn.state, order.market
    cash = market.worth(price, qty)
    n = state.fills_n + 1
    position = state.position(order.portfolio, market)
    own_cash, own_asset = order.portfolio.cash, position.held
    market_cash, market_asset = state.system(MARKET, own_cash.asset), state.system(MARKET, own_asset.asset)
    _book(turn, order, position, n, price, qty, cash, "market", facts)
    if order.buys:
        turn.transfer(TRADE_CASH, own_cash, market_cash, cash, n)
        turn.transfer(TRADE_ASSET, market_asset, own_asset, qty, n)
    else:
        turn.transfer(TRADE_CASH, market_cash, own_cash, cash, n)
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

    `facts` are the taker's receipt's; `makers` are what differs for the maker.
    """
    state = turn.state
    cash = maker.market.worth(price, qty)
    n = state.fills_n + 1
    buyer, seller = (taker, maker) if taker.buys else (maker, taker)
    given = state.position(seller.portfolio, seller.market)
    gotten = state.position(buyer.portfolio, buyer.market)
    _book(turn, taker, gotten if taker.buys else given, n, price, qty, cash, "player", facts)
    facts = {**facts, **makers} if makers else facts
    _book(turn, maker, gotten if maker.buys else given, n, price, qty, cash, "player", facts)
    turn.transfer(TRADE_CASH, buyer.portfolio.cash, seller.portfolio.cash, cash, n)
    turn.transfer(TRADE_ASSET, given.held, gotten.held, qty, n)


def _book(
    turn: Turn,
    order: Order,
    position: Position,
    match: int,  # n of its first fill row
    price: int,
    qty: int,
    cash: int,  # price x qty in minor units
    against: Literal["market", "player"],
    facts: dict[str, Any],
) -> None:
    """One side of a fill, before the trade's own transfers: the position still shows what was held."""
    assert price <= order.price if order.buys else price >= order.price
    state, market, portfolio = turn.state, order.market, order.portfolio
    state.fills_n += 1
    n = state.fills_n
    buys = order.buys
    lines = market.buy_fees if buys else market.sell_fees
    worth = order.filled_cash + cash
    before = lines.charge(order.filled_cash, order.filled_qty, capped=not buys)
    after = lines.charge(worth, order.filled_qty + qty, capped=not buys)
    fee = sum(after) - sum(before)
    order.filled_qty += qty
    order.filled_value += price * qty
    order.filled_cash = worth
    order.fees += fee
    _book_position(turn, order, position, qty, cash, fee)
    if fee:
        turn.transfer(FEE, portfolio.cash, state.system(FEES, portfolio.currency), fee, n)
    receipt = {
        "decided": "filled",
        "at": turn.at_ns,
        "limit_price": order.limit_price,
        **facts,
        "fees": receipts.fee_lines(lines, worth, order.filled_qty, before, after),
    }
    if order.limit_price is None:
        receipt["collar"] = order.price
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
            lines.named(before, after),
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
    state.traded[order.portfolio.id, market.symbol] = position
    turn.touch_position(position)
    leaves = order.qty - order.filled_qty
    if order.buys:
        position.cost += cash + fee
        position.day_cash -= cash + fee
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
