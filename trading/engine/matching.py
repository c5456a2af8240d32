"""Orders meet: each other, what the market displays, and what it prints.

A taker trades at the prices of the line it walks. An order that rests trades at its own price: with
another player's order, with a quote whose other side reaches it, with a print at or through it.
Only ticks that arrive after an order can fill it, because ticks are commands like any other.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

from market.ticks import Print, Quote
from trading.engine import liquidity, receipts
from trading.engine.fills import MAKER, trade_with_market, trade_with_player
from trading.engine.markets import AFTER_HOURS, Market, Side
from trading.engine.orders import (
    EXPIRE,
    FILL_PART,
    FILL_REST,
    HELD,
    IMMEDIATE,
    KILL,
    RESTATE,
    STOP_SELF_TRADE,
    Order,
    by_priority,
)
from trading.engine.records import Step, Walk
from trading.engine.turn import Turn

FRONT: Final = 64  # orders of a line that are looked at together
LIMIT = receipts.rule("limit_price", "Your own limit.")
COLLAR = receipts.rule("collar", "No limit of yours: a market order takes the best prices inside the collar.")
NO_PHASE = receipts.rule("phase", "It waits: nothing is matched in this phase.")
NO_AUCTION = receipts.rule("time_in_force", "It waits for its auction, and takes part in nothing else.")
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
    other = market.asks if order.buys else market.bids
    may_rest = order.limit_price is not None and order.time_in_force not in IMMEDIATE
    if may_rest and (nearest := other.beyond(order.price)) is not None:
        _come_to_rest(turn, order, event, nearest)
        return
    walk = liquidity.walk(
        other, price=order.price, qty=order.qty - order.filled_qty, portfolio=order.portfolio
    )
    if may_rest and not walk.steps and walk.own is None:
        _come_to_rest(turn, order, event, walk.beyond)
        return
    _meet(turn, order, event, other, walk)


def _come_to_rest(turn: Turn, order: Order, event: str, beyond: tuple[int, int] | None) -> None:
    """It takes nothing of the other side, whose nearest level is `beyond` its price."""
    _rest(order)
    left_alone = receipts.untouched(beyond)
    turn.change(order, event, receipts.order("rested", order, turn.at_ns, LIMIT, left_alone))


def _meet(turn: Turn, order: Order, event: str, other: Side, walk: Walk) -> None:
    """It takes what the walk found on the `other` side. What is left rests if it may, else it is canceled."""
    rests = order.limit_price is not None and order.time_in_force not in IMMEDIATE and walk.own is None
    seen = receipts.levels(walk.steps, walk.beyond)
    if event != RESTATE:
        turn.change(order, event, {})
    if order.terms is not None and order.terms.post_only:
        _kill(turn, order, "POST_ONLY", "It would have traded at once, and was to rest or not to be.", seen)
        return
    if order.time_in_force == "fok" and walk.filled < order.leaves:
        _kill(turn, order, "FOK_NOT_FILLABLE", "Fill or kill: not all of it was there.", seen)
        return
    bound = _bound(order)
    _take(turn, order, other, walk.steps, seen, bound)
    if order.filled_qty == order.qty:
        turn.change(order, FILL_REST, receipts.order("filled", order, turn.at_ns, bound, seen))
    elif rests:
        _rest(order)
        receipt = receipts.order("rested", order, turn.at_ns, LIMIT, seen)
        turn.change(order, FILL_PART if walk.steps else event, receipt)
    else:
        if walk.steps:
            turn.change(order, FILL_PART, {})
        _end_remainder(turn, order, walk.own, seen)


def _take(
    turn: Turn,
    order: Order,
    other: Side,
    steps: list[Step],
    seen: list[receipts.Facts],
    bound: receipts.Facts,
) -> None:
    """Step by step; between two of them the order's row says how far it is."""
    looked_at = order.market.looked_at(turn.at_ns)
    for step, level in zip(steps, seen):  # noqa: B905 - `seen` may go on with what was left alone
        facts = {"quote": looked_at, "levels": [level], "queue_ahead": 0, "rule": bound}
        if step.maker is None:
            liquidity.take(other, step.price, step.size)
            trade_with_market(turn, order, step.price, step.size, facts)
        else:
            _take_of_player(turn, order, step.maker, step, facts)
        if step is not steps[-1] and order.leaves:
            turn.change(order, FILL_PART, {})


def _bound(order: Order) -> receipts.Facts:
    """The rule that decided how far the order went."""
    if (terms := order.terms) is not None and terms.forced:
        return receipts.rule("margin", terms.forced)
    return COLLAR if order.limit_price is None else LIMIT


def _wait(turn: Turn, order: Order, event: str) -> None:
    """Nothing can match now. Orders that may rest do so, and arrive again when trading begins."""
    if order.time_in_force in IMMEDIATE:
        turn.change(order, event, {})
        _kill(turn, order, "NO_FRESH_PRICE", "There is no fresh quote to trade on.", [])
        return
    order.waits = "quote" if order.market.permit.match else "phase"
    order.market.side(buys=order.buys).add(order, 0)
    order.market.waiting[order.id] = order
    why = NO_QUOTE if order.waits == "quote" else NO_PHASE
    turn.change(order, event, receipts.order("rested", order, turn.at_ns, why, waits=order.waits))


def _rest(order: Order) -> None:
    """Behind all that is displayed at its price, and behind the players who came before."""
    side = order.market.bids if order.buys else order.market.asks
    order.waits = ""
    ahead = side.left_at(order.price) if order.price in side.sizes else 0
    if order.terms is None:
        side.add(order, ahead)
    else:
        _seat(side, order, ahead)


def _seat(side: Side, order: Order, ahead: int) -> None:
    """What one tick set off has one priority: at one price it stands in order of id, as a restored engine
    would seat it.
    """
    later = [each for each in side.book.at(order.price) if by_priority(each) > by_priority(order)]
    for each in later:
        side.book.remove(each)
    side.add(order, ahead)
    for each in later:
        side.book.add(each)


def _end_remainder(turn: Turn, order: Order, own: Order | None, seen: list[receipts.Facts]) -> None:
    if own is not None:
        text = "The rest would have traded with your own order."
        why = receipts.rule("self_trade", text)
        receipt = receipts.order(
            "canceled", order, turn.at_ns, why, seen, facts={"own_order": own.id, "price": own.price}
        )
        turn.change(order, STOP_SELF_TRADE, receipt, "SELF_TRADE")
    elif order.limit_price is None:
        _kill(turn, order, "NO_MORE_DEPTH", "Nothing more was displayed within the collar.", seen)
    else:
        _kill(turn, order, "IOC_REMAINDER", "Immediate or cancel: this much was not there.", seen)


def _kill(turn: Turn, order: Order, reason: str, text: str, seen: list[receipts.Facts]) -> None:
    why = receipts.rule(reason.lower(), text)
    turn.change(order, KILL, receipts.order("canceled", order, turn.at_ns, why, seen), reason)


def stand_aside(turn: Turn, order: Order, event: str) -> None:
    """The order is for one auction only: until then it is in no book."""
    order.waits = "auction"
    order.market.aside[order.id] = order
    turn.change(order, event, receipts.order("rested", order, turn.at_ns, NO_AUCTION, waits="auction"))


def end(turn: Turn, order: Order, event: str, reason: str, why: receipts.Facts, **facts: object) -> None:
    """An order that rests or waits ends unfilled, or filled in part."""
    market = order.market
    if order.trigger is None and not order.waits and order.status != HELD:
        (market.bids if order.buys else market.asks).remove(order)
    else:
        leave(order)
    finish(turn, order, event, reason, why, **facts)


def finish(turn: Turn, order: Order, event: str, reason: str, why: receipts.Facts, **facts: object) -> None:
    """The same for an order that stands nowhere."""
    what = "expired" if event == EXPIRE else "canceled"
    more = {"facts": facts} if facts else {}
    turn.change(order, event, receipts.order(what, order, turn.at_ns, why, **more), reason)


def leave(order: Order) -> None:
    """Out of the book, or of where else it stands."""
    market = order.market
    if order.trigger is not None:
        market.disarm(order)
    if order.status == HELD or market.aside.pop(order.id, None) is not None:
        return
    (market.bids if order.buys else market.asks).remove(order)
    if order.waits:
        del market.waiting[order.id]


def release(turn: Turn, market: Market) -> None:
    """Trading begins: what waited arrives now, one after another in order of time."""
    waited = list(market.waiting.values())
    for order in waited:
        leave(order)
    for order in waited:
        arrive(turn, order, RESTATE)


def on_quote(turn: Turn, quote: Quote) -> bool:
    """Whether orders match just now, and so were held against the quote."""
    market = turn.state.market(quote.symbol)
    liquidity.show(market, quote)
    return resume_matching(turn, market)


def resume_matching(turn: Turn, market: Market) -> bool:
    """After anything that may let orders match: a quote, a phase, a resumption, new rules."""
    if not turn.state.can_match(market, turn.at_ns):
        return False
    if market.waiting:
        release(turn, market)
    _meet_quote(turn, market, buys=True)
    _meet_quote(turn, market, buys=False)
    return True


def _meet_quote(turn: Turn, market: Market, *, buys: bool) -> None:
    """Displayed size that reaches resting orders fills them at their own price and is used up."""
    book, other = market.side(buys=buys).book, market.side(buys=not buys)
    while (order := book.first()) is not None:
        steps = _reaching(other, order)
        if not steps:
            return
        for step in steps:
            liquidity.take(other, step.price, step.size)
        qty = sum(step.size for step in steps)
        facts = {
            "quote": market.looked_at(turn.at_ns),
            "levels": receipts.levels(steps),
            "queue_ahead": 0,
            "rule": receipts.rule("resting_price", "The market came to your price."),
        }
        trade_with_market(turn, order, order.price, qty, facts, MAKER)
        _tell_maker(turn, order, facts)


def _reaching(side: Side, order: Order) -> list[Step]:
    steps = []
    want = order.leaves
    for price, size in side.shown:
        if not want or (price > order.price if order.buys else price < order.price):
            break
        free = size - side.taken.get(price, 0)
        if free > 0:
            steps.append(Step(price, min(free, want), free, None))
            want -= steps[-1].size
    return steps


def on_print(turn: Turn, tick: Print) -> bool:
    """Whether orders match just now, and so were held against the print.

    A print through a resting order's price fills it; one at its price, after the queue before it.

    All players together never get more than was printed. At the price itself only the side that the
    print's taker hit is filled; when the taker is unknown, either.
    """
    market = turn.state.market(tick.symbol)
    if market.phase not in AFTER_HOURS:  # there the close stands
        market.last_price = tick.price
    rules = market.rules
    if rules is None or turn.at_ns - tick.received_ns > rules.quote_age_ns_max:
        return False
    if not turn.state.can_match(market, turn.at_ns):
        return False
    left = tick.size
    for buys in (True, False):
        book = market.side(buys=buys).book
        while left and (price := book.price()) is not None:
            if price == tick.price:
                hit = tick.side != ("buy" if buys else "sell")
            else:
                hit = price > tick.price if buys else price < tick.price
            if not hit:
                break
            left = _print_at(turn, tick, market.side(buys=buys), price, left)
    return True


def _print_at(turn: Turn, tick: Print, side: Side, price: int, left: int) -> int:
    """Use the line at one price up from its front; what is left of the print."""
    through = price != tick.price
    text = "The market traded through your price." if through else "The market traded at your price."
    line = side.lines[price]
    used = 0  # displayed size of the line that the print has used
    while left and (front := list(islice(side.book.at(price), FRONT))):
        for order in front:
            before = order.queue_ahead
            if not through:
                ahead = min(max(before - used, 0), left)
                used += ahead
                left -= ahead
            qty = min(order.leaves, left)
            if not qty:
                break  # the ones behind move up with the line
            left -= qty
            order.queue_ahead = 0
            facts: receipts.Facts = {
                "quote": order.market.looked_at(turn.at_ns),
                "print": receipts.trade_print(tick, turn.at_ns),
                "levels": [],
                "queue_ahead": before,
                "rule": receipts.rule("resting_price", text),
            }
            trade_with_market(turn, order, order.price, qty, facts, MAKER)
            _tell_maker(turn, order, facts)
    if through:
        line.shrink(0)
    else:
        line.take(used)
    return left


def _take_of_player(turn: Turn, order: Order, maker: Order, step: Step, facts: receipts.Facts) -> None:
    rested = {"rule": LIMIT}
    trade_with_player(turn, order, maker, step.price, step.size, facts, rested)
    _tell_maker(turn, maker, {**facts, **rested})


def _tell_maker(turn: Turn, order: Order, facts: dict[str, Any]) -> None:
    """A resting order was filled, by a taker, a quote or a print."""
    if order.leaves:
        receipt = receipts.order("rested", order, turn.at_ns, LIMIT)
        turn.change(order, FILL_PART, receipt)
        return
    leave(order)
    turn.change(order, FILL_REST, {"decided": "filled", "at": turn.at_ns, **facts})
