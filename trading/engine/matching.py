"""Orders meet: each other, what the market displays, and what it prints.

A taker trades at the prices of the line it walks. An order that rests trades at its own price: with
another player's order, with a quote whose other side reaches it, with a print at or through it.
Only ticks that arrive after an order can fill it, because ticks are commands like any other.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from market.ticks import Print, Quote
from trading.engine import fees, liquidity, prices, receipts
from trading.engine.accounts import FEES, MARKET
from trading.engine.events import FillRow
from trading.engine.liquidity import Step
from trading.engine.orders import FILL_PART, FILL_REST, KILL, RESTATE, STOP_SELF_TRADE, Order
from trading.engine.state import Market
from trading.engine.turn import FEE, TRADE_ASSET, TRADE_CASH, Turn


class Trade(NamedTuple):
    match: int  # n of its first fill row
    price: int
    qty: int
    cash: int  # price x qty in minor units
    against: Literal["market", "player"]


LIMIT = receipts.rule("limit_price", "Your own limit.")
NO_PHASE = receipts.rule("phase", "It waits: nothing is matched in this phase.")
NO_QUOTE = receipts.rule("quote_age", "It waits: the last quote is too old to trade on.")


def arrive(turn: Turn, order: Order, event: str) -> None:
    """The order comes to the market: it takes what it can, and what is left rests or is canceled.

    It is accepted, holds its reservation and is not in the book. `event` is what brought it: ACCEPT,
    REPLACE, or RESTATE when it had waited for trading to begin.
    """
    market = order.market
    if not turn.state.can_match(market, turn.at_ns):
        _wait(turn, order, event)
        return
    if market.waiting and event != RESTATE:
        release(turn, market)
    walk = liquidity.walk(
        market, buys=order.buys, price=order.price, qty=order.leaves, portfolio=order.portfolio
    )
    rests = order.type == "limit" and order.time_in_force in ("day", "gtc") and walk.own is None
    if not walk.steps and rests:
        _rest(order)
        beyond = receipts.levels((), walk.beyond)
        turn.change(order, event, receipts.order("rested", order, turn.at_ns, LIMIT, levels=beyond))
        return
    seen = receipts.levels(walk.steps, walk.beyond)
    if event != RESTATE:
        turn.change(order, event, {})
    if order.time_in_force == "fok" and walk.filled < order.leaves:
        _kill(turn, order, "FOK_NOT_FILLABLE", "Fill or kill: not all of it was there.", seen)
        return
    looked_at = receipts.quote(market, turn.at_ns)
    for step in walk.steps:
        _take_step(turn, order, step, looked_at)
        if order.leaves and step is not walk.steps[-1]:
            turn.change(order, FILL_PART, {})
    if not order.leaves:
        turn.change(order, FILL_REST, receipts.order("filled", order, turn.at_ns, LIMIT, levels=seen))
    elif rests:
        _rest(order)
        receipt = receipts.order("rested", order, turn.at_ns, LIMIT, levels=seen)
        turn.change(order, FILL_PART if walk.steps else event, receipt)
    else:
        if walk.steps:
            turn.change(order, FILL_PART, {})
        _end_remainder(turn, order, walk.own, seen)


def _wait(turn: Turn, order: Order, event: str) -> None:
    """Nothing can match now. Orders that may rest do so, and arrive again when trading begins."""
    if order.time_in_force in ("ioc", "fok"):
        turn.change(order, event, {})
        _kill(turn, order, "NO_FRESH_PRICE", "There is no fresh quote to trade on.", [])
        return
    order.waits = "quote" if turn.state.permit.match else "phase"
    order.queue_ahead = 0
    order.market.book.side(buys=order.buys).add(order)
    order.market.waiting[order.id] = order
    why = NO_QUOTE if order.waits == "quote" else NO_PHASE
    turn.change(order, event, receipts.order("rested", order, turn.at_ns, why, waits=order.waits))


def _rest(order: Order) -> None:
    """Behind all that is displayed at its price, and behind the players who came before."""
    market = order.market
    order.waits = ""
    order.queue_ahead = liquidity.left_at(market, order.price, bids=order.buys)
    market.book.side(buys=order.buys).add(order)


def _end_remainder(turn: Turn, order: Order, own: Order | None, seen: list[receipts.Facts]) -> None:
    if own is not None:
        text = "The rest would have traded with your own order."
        why = receipts.rule("self_trade", text)
        receipt = receipts.order(
            "canceled", order, turn.at_ns, why, levels=seen, facts={"own_order": own.id, "price": own.price}
        )
        turn.change(order, STOP_SELF_TRADE, receipt, "SELF_TRADE")
    elif order.type == "market":
        _kill(turn, order, "NO_MORE_DEPTH", "Nothing more was displayed within the collar.", seen)
    else:
        _kill(turn, order, "IOC_REMAINDER", "Immediate or cancel: this much was not there.", seen)


def _kill(turn: Turn, order: Order, reason: str, text: str, seen: list[receipts.Facts]) -> None:
    why = receipts.rule(reason.lower(), text)
    turn.change(order, KILL, receipts.order("canceled", order, turn.at_ns, why, levels=seen), reason)


def leave(order: Order) -> None:
    """Out of the book."""
    order.market.book.side(buys=order.buys).remove(order)
    if order.waits:
        del order.market.waiting[order.id]


def release(turn: Turn, market: Market) -> None:
    """Trading begins: what waited arrives now, one after another in order of time."""
    waited = list(market.waiting.values())
    for order in waited:
        leave(order)
    for order in waited:
        arrive(turn, order, RESTATE)


def on_quote(turn: Turn, quote: Quote) -> None:
    market = turn.state.market(quote.symbol)
    liquidity.show(market, quote)
    resume_matching(turn, market)


def resume_matching(turn: Turn, market: Market) -> None:
    """After anything that may let orders match: a quote, a phase, a resumption, new rules."""
    if not turn.state.can_match(market, turn.at_ns):
        return
    if market.waiting:
        release(turn, market)
    _meet_quote(turn, market, buys=True)
    _meet_quote(turn, market, buys=False)


def _meet_quote(turn: Turn, market: Market, *, buys: bool) -> None:
    """Displayed size that reaches resting orders fills them at their own price and is used up."""
    side = market.book.side(buys=buys)
    while (order := side.first()) is not None:
        steps = _reaching(market, order)
        if not steps:
            return
        for step in steps:
            liquidity.take(market, step.price, step.size, bids=not buys)
        qty = sum(step.size for step in steps)
        facts = {
            "quote": receipts.quote(market, turn.at_ns),
            "levels": receipts.levels(steps),
            "queue_ahead": 0,
            "rule": receipts.rule("resting_price", "The market came to your price."),
        }
        _trade_with_market(turn, order, order.price, qty, facts)
        _tell_maker(turn, order, facts)


def _reaching(market: Market, order: Order) -> list[Step]:
    steps = []
    want = order.leaves
    taken = market.taken(bids=not order.buys)
    for price, size in market.shown(bids=not order.buys):
        if not want or (price > order.price if order.buys else price < order.price):
            break
        free = size - taken.get(price, 0)
        if free > 0:
            steps.append(Step(price, min(free, want), free, None))
            want -= steps[-1].size
    return steps


def on_print(turn: Turn, tick: Print) -> None:
    """A print through a resting order's price fills it; one at its price, after the queue before it.

    All players together never get more than was printed. At the price itself only the side that the
    print's taker hit is filled; when the taker is unknown, either.
    """
    market = turn.state.market(tick.symbol)
    market.last_price = tick.price
    rules = market.rules
    if rules is None or turn.at_ns - tick.received_ns > rules.quote_age_ns_max:
        return
    if not turn.state.can_match(market, turn.at_ns):
        return
    left = tick.size
    for buys in (True, False):
        side = market.book.side(buys=buys)
        while left and (price := side.price()) is not None:
            if price == tick.price:
                hit = tick.side != ("buy" if buys else "sell")
            else:
                hit = price > tick.price if buys else price < tick.price
            if not hit:
                break
            left = _print_at(turn, tick, list(side.at(price)), left)


def _print_at(turn: Turn, tick: Print, line: list[Order], left: int) -> int:
    """Use the line at one price up from its front; what is left of the print."""
    through = line[0].price != tick.price
    text = "The market traded through your price." if through else "The market traded at your price."
    used = 0  # displayed size of the line that the print has used
    for order in line:
        before = order.queue_ahead
        if through:
            order.queue_ahead = 0
        else:
            ahead = min(max(before - used, 0), left)
            used += ahead
            left -= ahead
            order.queue_ahead = max(before - used, 0)
        qty = min(order.leaves, left)
        if not qty:
            continue  # the ones behind still move up
        left -= qty
        facts: receipts.Facts = {
            "quote": receipts.quote(order.market, turn.at_ns),
            "print": receipts.trade_print(tick, turn.at_ns),
            "levels": [],
            "queue_ahead": before,
            "rule": receipts.rule("resting_price", text),
        }
        _trade_with_market(turn, order, order.price, qty, facts)
        _tell_maker(turn, order, facts)
    return left


def _take_step(turn: Turn, order: Order, step: Step, looked_at: receipts.Facts | None) -> None:
    facts = {"quote": looked_at, "levels": receipts.levels((step,)), "queue_ahead": 0, "rule": LIMIT}
    if step.maker is None:
        liquidity.take(order.market, step.price, step.size, bids=not order.buys)
        _trade_with_market(turn, order, step.price, step.size, facts)
        return
    maker = step.maker
    _trade_with_player(turn, order, maker, step.size, facts)
    _tell_maker(turn, maker, {**facts, "queue_ahead": 0})


def _tell_maker(turn: Turn, order: Order, facts: dict[str, Any]) -> None:
    """A resting order was filled, by a taker, a quote or a print."""
    if order.leaves:
        receipt = receipts.order("rested", order, turn.at_ns, LIMIT)
        turn.change(order, FILL_PART, receipt)
        return
    leave(order)
    turn.change(order, FILL_REST, {"decided": "filled", "at": turn.at_ns, **facts})


def _trade_with_market(turn: Turn, order: Order, price: int, qty: int, facts: dict[str, Any]) -> None:
    rules = order.market.rules
    assert rules is not None
    state = turn.state
    cash = prices.worth(rules, price, qty)
    n = state.fills_n + 1
    own_cash, own_asset = order.portfolio.cash, state.position(order.portfolio, order.market).held
    market_cash, market_asset = state.system(MARKET, own_cash.asset), state.system(MARKET, own_asset.asset)
    _book_fill(turn, order, Trade(n, price, qty, cash, "market"), facts)
    if order.buys:
        turn.transfer(TRADE_CASH, own_cash, market_cash, cash, n)
        turn.transfer(TRADE_ASSET, market_asset, own_asset, qty, n)
    else:
        turn.transfer(TRADE_CASH, market_cash, own_cash, cash, n)
        turn.transfer(TRADE_ASSET, own_asset, market_asset, qty, n)


def _trade_with_player(turn: Turn, taker: Order, maker: Order, qty: int, facts: dict[str, Any]) -> None:
    """Two rows of one match, at the price of the order that rested."""
    rules = maker.market.rules
    assert rules is not None
    state = turn.state
    cash = prices.worth(rules, maker.price, qty)
    n = state.fills_n + 1
    trade = Trade(n, maker.price, qty, cash, "player")
    _book_fill(turn, taker, trade, facts)
    _book_fill(turn, maker, trade, facts)
    buyer, seller = (taker, maker) if taker.buys else (maker, taker)
    turn.transfer(TRADE_CASH, buyer.portfolio.cash, seller.portfolio.cash, cash, n)
    given = state.position(seller.portfolio, seller.market).held
    gotten = state.position(buyer.portfolio, buyer.market).held
    turn.transfer(TRADE_ASSET, given, gotten, qty, n)


def _book_fill(turn: Turn, order: Order, trade: Trade, facts: dict[str, Any]) -> None:
    """One side of a fill: fees, the order's sums, its reservation, the position, the row.

    Called before the trade's own transfers, so that the position still shows what was held before.
    """
    match, price, qty, cash, against = trade
    assert price <= order.price if order.buys else price >= order.price
    state, market = turn.state, order.market
    state.fills_n += 1
    n = state.fills_n
    lines = market.buy_fees if order.buys else market.sell_fees
    worth = order.filled_cash + cash
    before = fees.charge(lines, order.filled_cash, capped=not order.buys)
    after = fees.charge(lines, worth, capped=not order.buys)
    fee = sum(after) - sum(before)
    order.filled_qty += qty
    order.filled_value += price * qty
    order.filled_cash = worth
    order.fees += fee
    _book_position(turn, order, qty, cash, fee)
    if fee:
        turn.transfer(FEE, order.portfolio.cash, state.system(FEES, order.portfolio.currency), fee, n)
    receipt = {
        "decided": "filled",
        "at": turn.at_ns,
        "limit_price": order.limit_price,
        **facts,
        "fees": receipts.fee_lines(lines, worth, before, after),
    }
    if order.limit_price is None:
        receipt["collar"] = order.price
    named = tuple((line.name, b - a) for line, a, b in zip(lines, before, after, strict=True))
    turn.events.append(
        FillRow(
            n,
            match,
            order.id,
            order.portfolio.id,
            market.symbol,
            order.side,
            price,
            qty,
            cash,
            named,
            fee,
            against,
            state.market_day,
            turn.at_ns,
            receipt,
        )
    )


def _book_position(turn: Turn, order: Order, qty: int, cash: int, fee: int) -> None:
    """Average cost, fees included: what is sold takes its share of the cost along, rounded down."""
    state, market = turn.state, order.market
    position = state.position(order.portfolio, market)
    position.market_day = state.market_day
    state.traded[order.portfolio.id, market.symbol] = position
    turn.touch_position(position)
    if order.buys:
        position.cost += cash + fee
        position.day_cash -= cash + fee
        if market.rules is not None and market.rules.lock_days:
            position.bought_today += qty
        left = market.reservation(order.price, order.leaves, order.filled_cash) if order.leaves else 0
        turn.reserve_cash(order, left)
        return
    gone = position.cost * qty // position.held.posted
    position.cost -= gone
    position.realised += cash - fee - gone
    position.day_cash += cash - fee
    turn.reserve_qty(order, order.leaves)
