"""After-hours trading at the close: orders meet at the day's closing price, first come, first served.

A limit only says whether the close is good enough. Orders of the regular session take no part: they
ended with it. Players meet each other here, and prints at the closing price fill them; displayed
depth of the regular session does not. Source: SSE 上证发〔2019〕23号 (STAR) and SZSE 深证上〔2020〕515号
(ChiNext), fixed-price trading after hours.
"""

from __future__ import annotations

from market.ticks import Print
from trading.engine import receipts
from trading.engine.fills import trade_with_market, trade_with_player
from trading.engine.markets import Market
from trading.engine.matching import leave
from trading.engine.orders import FILL_PART, FILL_REST, RESTATE, STOP_SELF_TRADE, Order, by_priority
from trading.engine.turn import Turn

WAITS = "after_hours"
WAITING = receipts.rule("after_hours", "It waits for somebody who trades at the closing price.")
AT_THE_CLOSE = receipts.rule("after_hours", "After hours all trade at the day's closing price.")
OWN = receipts.rule("self_trade", "It would have traded with your own order.")


def arrive(turn: Turn, order: Order, event: str) -> None:
    """The order enters after hours. `event`: ACCEPT, REPLACE, or RESTATE when the quiet time is over."""
    market = order.market
    order.waits = WAITS
    order.queue_ahead = 0
    market.aside[order.id] = order
    if event != RESTATE:
        receipt = receipts.order("rested", order, turn.at_ns, WAITING, waits=WAITS)
        turn.change(order, event, receipt)
    if market.phase != WAITS or market.halted or not _takes_close(order, market.base_price()):
        return
    others = [o for o in market.aside.values() if o.waits == WAITS and o.buys != order.buys]
    for other in sorted(others, key=by_priority):
        if not _takes_close(other, market.base_price()):
            continue
        if other.portfolio is order.portfolio:
            leave(order)
            receipt = receipts.order("canceled", order, turn.at_ns, OWN, facts={"own_order": other.id})
            turn.change(order, STOP_SELF_TRADE, receipt, "SELF_TRADE")
            return
        size = min(order.leaves, other.leaves)
        facts = _facts(turn, market)
        trade_with_player(turn, order, other, market.base_price(), size, facts)
        _tell(turn, other, facts)
        _tell(turn, order, facts)
        if not order.leaves:
            return


def begin(turn: Turn, market: Market) -> None:
    """The quiet time, or a halt, is over: who waits meets, in order of time."""
    for order in sorted((o for o in market.aside.values() if o.waits == WAITS), key=by_priority):
        if order.id in market.aside:
            arrive(turn, order, RESTATE)


def on_print(turn: Turn, market: Market, tick: Print) -> None:
    """The venue traded at the close: who waits on the other side of it has a share in it."""
    left = tick.size
    for order in sorted((o for o in market.aside.values() if o.waits == WAITS), key=by_priority):
        if not left or tick.side == ("buy" if order.buys else "sell") or not _takes_close(order, tick.price):
            continue
        size = min(order.leaves, left)
        left -= size
        facts = {**_facts(turn, market), "print": receipts.trade_print(tick, turn.at_ns)}
        trade_with_market(turn, order, tick.price, size, facts)
        _tell(turn, order, facts)


def _takes_close(order: Order, close: int) -> bool:
    return bool(close) and (order.price >= close if order.buys else order.price <= close)


def _facts(turn: Turn, market: Market) -> receipts.Facts:
    return {
        "quote": market.looked_at(turn.at_ns),
        "levels": [],
        "queue_ahead": 0,
        "rule": AT_THE_CLOSE,
        "close": market.base_price(),
    }


def _tell(turn: Turn, order: Order, facts: receipts.Facts) -> None:
    if order.leaves:
        receipt = receipts.order("rested", order, turn.at_ns, AT_THE_CLOSE, waits=WAITS)
        turn.change(order, FILL_PART, receipt)
        return
    leave(order)
    turn.change(order, FILL_REST, {"decided": "filled", "at": turn.at_ns, **facts})
