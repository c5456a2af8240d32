"""Every reason why the engine says no to an order, in order of precedence: the first that applies wins.

One line per rule: the numbers that decide, and the refusal in words (refusals.py).
"""

from __future__ import annotations

from typing import Final

from market.rulebook.rules import Phase
from trading.engine import credit, refusals, terms
from trading.engine.commands import NewOrder, NewOrderWithTerms
from trading.engine.draft import Draft, set_effect
from trading.engine.markets import AFTER_HOURS, Market
from trading.engine.orders import AUCTION_ONLY, HAVE_LIMIT, HELD, IMMEDIATE, STOPS, Order
from trading.engine.refusals import Refusal
from trading.engine.state import State

ORDERS_OPEN_MAX: Final = 10_000  # per portfolio: cancelling them all stays one short command
ORDINARY: Final = frozenset(("day", "gtc", "ioc", "fok"))
CONTINUOUS: Final = Phase.CONTINUOUS.value
NO_ENTRY: Final = "The market takes no orders in this phase."
ONLY_AT_CLOSE: Final = "After hours only limit orders for the day enter; they trade at the close."
NEEDS_MATCHING: Final = "Market, ioc and fok orders need a phase that matches; a limit order may wait for it."


def refuse_new(state: State, new: NewOrder, draft: Draft | None, at_ns: int) -> Refusal | None:
    """Why the order may not come in; None when it may. `draft` is draft_of it."""
    if 0 < new.deadline_ns < at_ns:
        return refusals.late(new.deadline_ns, at_ns)
    if draft is None:
        return refusals.unknown_symbol(new.symbol)
    if not draft.rules.tradable or not _is_of_its_kind(state, draft):
        return refusals.instrument(draft)
    if refusal := _refuse_words(state, new, draft):
        return refusal
    market, portfolio = draft.market, draft.portfolio
    permit = market.permit
    if not permit.enter:
        return refusals.closed(state, market, NO_ENTRY)
    if market.halted:
        return refusals.halted(state, market)
    if market.phase in AFTER_HOURS:
        if new.type != "limit" or new.time_in_force != "day" or type(new) is NewOrderWithTerms:
            return refusals.closed(state, market, ONLY_AT_CLOSE)
    elif not permit.match and _needs_matching(new):
        return refusals.closed(state, market, NEEDS_MATCHING)
    if refusal := _refuse_shape(draft, at_ns):
        return refusal
    if portfolio.status != "active":
        return refusals.frozen(portfolio)
    if len(portfolio.orders) >= ORDERS_OPEN_MAX:
        return refusals.too_many(ORDERS_OPEN_MAX)
    return _refuse_money(draft)


def _refuse_words(state: State, new: NewOrder, draft: Draft) -> Refusal | None:
    """Whether what it says fits together."""
    if (new.type in HAVE_LIMIT) != (new.limit_price is not None):
        return refusals.limit_price(new.type)
    if type(new) is NewOrderWithTerms:
        if refusal := terms.refuse(state, new, draft):
            return refusal
    elif new.type in STOPS or new.time_in_force == "gtd":
        return refusals.unsupported(f"A {new.type} {new.time_in_force} order needs terms: when?")
    if draft.effect and (refusal := credit.refuse_effect(draft, new)):
        return refusal
    return None if new.time_in_force in ORDINARY else _refuse_auction(state, new)


def refuse_replaced(state: State, draft: Draft, at_ns: int) -> Refusal | None:
    """Whether an open order may become `draft`. Its being open was checked before."""
    if not draft.rules.tradable or not _is_of_its_kind(state, draft):
        return refusals.instrument(draft)
    if not draft.market.permit.enter:
        return refusals.closed(state, draft.market, NO_ENTRY)
    if draft.market.halted:
        return refusals.halted(state, draft.market)
    if draft.of is not None and draft.of.status == HELD:
        return _refuse_shape(draft, at_ns)  # it reserves nothing yet
    return _refuse_shape(draft, at_ns) or _refuse_money(draft)


def _is_of_its_kind(state: State, draft: Draft) -> bool:
    """Whether the portfolio may have it at all: contracts and other currencies are for margin portfolios."""
    rules = draft.rules
    if draft.effect:
        return not 0 < rules.last_day < state.market_day
    return rules.currency == draft.portfolio.currency and not rules.is_contract


def refuse_resting(state: State, market: Market, order: Order) -> Refusal | None:
    """Whether an order that rests may go on doing so under today's rules and limits.

    A stop that waits for its price may lie outside the day's limits: they may widen before it comes.
    """
    assert market.rules is not None
    price, (low, high) = order.price, market.limits
    draft = Draft(
        order.portfolio, market, market.rules, order.buys, order.qty, price, order.filled_qty, order
    )
    if order.effect:
        set_effect(draft, order.effect)
    if not draft.rules.tradable or not _is_of_its_kind(state, draft):
        return refusals.instrument(draft)
    if not draft.rules.is_on_tick(price):
        return refusals.tick(draft, price)
    if order.trigger is None and (price < low or (high and price > high)):
        return refusals.band(draft, price)
    return _refuse_money(draft)


def refuse_triggered(state: State, market: Market, order: Order, at_ns: int) -> Refusal | None:
    """Whether a stop limit order may enter, now that its stop price is reached."""
    if refusal := refuse_resting(state, market, order):
        return refusal
    assert market.rules is not None
    cage = market.cage(at_ns, buys=order.buys)
    if cage and (order.price > cage if order.buys else order.price < cage):
        draft = Draft(order.portfolio, market, market.rules, order.buys, order.qty, order.price)
        return refusals.cage(draft, order.price, cage)
    return None


def refuse_late(deadline_ns: int, at_ns: int) -> Refusal | None:
    return refusals.late(deadline_ns, at_ns) if 0 < deadline_ns < at_ns else None


def _refuse_shape(draft: Draft, at_ns: int) -> Refusal | None:
    """Price and quantity against the venue's rules of the day."""
    rules, market, price, qty = draft.rules, draft.market, draft.price, draft.qty
    if price is not None and not rules.is_on_tick(price):
        return refusals.tick(draft, price)
    if (qty <= 0 or qty % rules.lot or qty < rules.least_qty) and not _may_be_odd(draft):
        return refusals.lot(draft)
    most = rules.qty_max
    if price is None and draft.stop is None:
        most = rules.qty_max_market or most
    if qty > most or (price or market.last_price) * qty > market.worth_max:
        return refusals.size(draft, most)
    if rules.day_buys_max and draft.buys and (bought := draft.bought_or_asked) + qty > rules.day_buys_max:
        return refusals.day_buys(draft, bought)
    if draft.stop is not None and not rules.is_on_tick(draft.stop):
        return refusals.tick(draft, draft.stop)
    if price is None:
        if draft.base is None and not (market.is_fresh(at_ns) and market.side(buys=not draft.buys).shown):
            return refusals.no_price(draft, at_ns)
        return None
    low, high = market.limits
    if price < low or (high and price > high):
        return refusals.band(draft, price)
    if rules.cage_ppb and market.phase == CONTINUOUS and draft.stop is None:
        cage = market.cage(at_ns, buys=draft.buys)
        if cage and (price > cage if draft.buys else price < cage):
            return refusals.cage(draft, price, cage)
    return None


def _needs_matching(new: NewOrder) -> bool:
    return new.time_in_force in IMMEDIATE or (new.type == "market" and new.time_in_force not in AUCTION_ONLY)


def _refuse_auction(state: State, new: NewOrder) -> Refusal | None:
    """opg orders come before their auction has matched; both kinds are plain market or limit orders."""
    if new.time_in_force not in AUCTION_ONLY:
        return None
    if new.type in STOPS:
        return refusals.unsupported("A stop order cannot be for an auction only.")
    market = state.markets[new.symbol]
    if new.time_in_force == "opg" and market.has_opened:
        return refusals.closed(state, market, "The opening auction of this day is over.")
    if new.type == "market" and not market.base_price():
        return Refusal("NO_FRESH_PRICE", "Nothing says yet what a market order may cost at most.", {})
    return None


def _may_be_odd(draft: Draft) -> bool:
    """Whether a quantity that is no lot is right all the same: it was when the order came, or a sell
    takes the whole odd remainder along.

    Source: SSE and SZSE trading rules, "a balance below 100 shares is sold in one order"; where the lot
    is 1 with a larger least quantity (STAR, BSE), the remainder is what is below that.
    """
    if draft.of is not None and draft.qty == draft.of.qty:
        return True
    if draft.buys or not draft.rules.odd_lot_sell:
        return False
    lot, sellable, wanted = draft.rules.lot, draft.sellable, draft.qty - draft.filled_qty
    if not 0 < wanted <= sellable:
        return False
    return wanted % lot == sellable % lot if lot > 1 else wanted == sellable


def _refuse_money(draft: Draft) -> Refusal | None:
    if draft.effect:
        return credit.refuse_money(draft)
    if draft.buys:
        needed, cash = draft.cash_needed(), draft.portfolio.cash
        if draft.of is not None:
            needed -= draft.of.reserved_cash
        return refusals.cash(draft) if needed > cash.posted - cash.reserved else None
    return refusals.holding(draft) if draft.qty - draft.filled_qty > draft.sellable else None
