"""What a margin portfolio's order is refused for: its effect on the position, and its cost."""

from __future__ import annotations

import msgspec

from trading.engine import refusals
from trading.engine.commands import NewOrder, NewOrderWithTerms
from trading.engine.draft import Draft
from trading.engine.events import OrderTerms
from trading.engine.margin import OPEN, standing
from trading.engine.refusals import Refusal


def refuse_effect(draft: Draft, new: NewOrder) -> Refusal | None:
    """Whether the portfolio's position and orders let it open or close here."""
    portfolio, market, terms = draft.portfolio, draft.market, draft.portfolio.margin
    asked = new.terms if isinstance(new, NewOrderWithTerms) else None
    intent = asked.position_intent if asked else ""
    assert terms is not None
    if asked and market.parts_today and asked.order_class != "simple":
        return refusals.unsupported(
            "Where today's and yesterday's contracts are closed apart, an order has no legs."
        )
    if intent and intent.partition("_to_")[0] != ("buy" if draft.buys else "sell"):
        return refusals.intent(draft, f"{intent} is no {'buy' if draft.buys else 'sell'} order.")
    position = portfolio.positions.get(market.symbol)
    held = position.held.posted if position else 0
    if draft.effect != OPEN:
        if (held >= 0) if draft.buys else (held <= 0):
            return refusals.intent(draft, "There is no such position to close.")
        return None
    if (held < 0) if draft.buys else (held > 0):
        return refusals.intent(draft, "It would open against the position: close that first.")
    if not draft.buys and not draft.rules.is_contract and not (terms.shorts and draft.rules.short_allowed):
        return refusals.no_shorts(draft, terms.shorts)
    for order in portfolio.orders.values():
        if order.market is market and order.effect == OPEN and order.buys != draft.buys:
            return refusals.intent(draft, "An open order opens the other way: cancel that first.")
    return None


def refuse_money(draft: Draft) -> Refusal | None:
    """Whether it can be paid. Closing is refused only where it could leave less than nothing."""
    portfolio, basis = draft.portfolio, draft.basis
    assert basis is not None
    if draft.effect != OPEN and draft.qty - draft.filled_qty > draft.sellable:
        return refusals.closable(draft)
    if not basis.mark or not basis.rate_ppb:
        return refusals.no_mark(draft)
    own = draft.of.reserved_cash if draft.of else 0
    needed = draft.cash_needed() - own
    now = standing(portfolio)
    if not now.known and draft.effect == OPEN:
        return refusals.no_mark(draft)
    free = now.equity - portfolio.cash.reserved - (now.initial if draft.effect == OPEN else 0)
    return refusals.margin(draft, now, free + own) if needed > max(free, 0) else None


def begun(draft: Draft, terms: OrderTerms | None) -> OrderTerms:
    """The terms of a margin portfolio's order as it begins, whatever else it asks for."""
    return msgspec.structs.replace(terms or OrderTerms(), effect=draft.effect, basis=draft.basis)
