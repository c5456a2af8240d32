"""Every reason why the engine says no to an order, in order of precedence: the first that applies wins.

One line per rule: the numbers that decide, and the refusal in words (refusals.py).
"""

from __future__ import annotations

from typing import Final

from market.rulebook.rules import InstrumentRules, Phase
from simgame.kernel.money import INT64_MAX
from trading.engine import prices, refusals
from trading.engine.commands import NewOrder
from trading.engine.markets import Market
from trading.engine.orders import Order
from trading.engine.refusals import Refusal
from trading.engine.state import Portfolio, State

ORDERS_OPEN_MAX: Final = 10_000  # per portfolio: cancelling them all stays one short command
IMMEDIATE: Final = ("ioc", "fok")
NO_ENTRY: Final = "The market takes no orders in this phase."
NEEDS_MATCHING: Final = "Market, ioc and fok orders need a phase that matches; a limit order may wait for it."


class Draft:
    """What an order would be: new, or replaced (then `of` is the order that stands).

    Its worst price and the cash it needs are computed once, where they are first asked for.
    """

    __slots__ = (
        "_needed",
        "_worst",
        "buys",
        "filled_qty",
        "market",
        "of",
        "portfolio",
        "price",
        "qty",
        "rules",
    )

    def __init__(
        self,
        portfolio: Portfolio,
        market: Market,
        rules: InstrumentRules,
        buys: bool,
        qty: int,
        price: int | None,  # its limit; None for a market order
        filled_qty: int = 0,
        of: Order | None = None,
    ) -> None:
        self.portfolio = portfolio
        self.market = market
        self.rules = rules
        self.buys = buys
        self.qty = qty
        self.price = price
        self.filled_qty = filled_qty
        self.of = of
        self._worst: int | None = price
        self._needed: int | None = None

    def of_qty(self, qty: int) -> Draft:
        return Draft(
            self.portfolio, self.market, self.rules, self.buys, qty, self.price, self.filled_qty, self.of
        )

    @property
    def sellable(self) -> int:
        """What could be sold now, this order's own reservation included."""
        own = self.of.reserved_qty if self.of else 0
        position = self.portfolio.positions.get(self.market.symbol)
        return (position.sellable if position else 0) + own

    @property
    def free_cash(self) -> int:
        """What it may cost at most, this order's own reservation included."""
        return self.portfolio.cash.available + (self.of.reserved_cash if self.of else 0)

    def worst_price(self) -> int:
        """The worst price it may trade at: its limit, or the collar around the best displayed price."""
        if self._worst is None:
            best = self.market.side(buys=not self.buys).shown[0][0]
            self._worst = prices.collar(self.rules, best, self.market.limits, buys=self.buys)
        return self._worst

    def cash_needed(self) -> int:
        """What a buy must hold back: see Market.reservation."""
        if self._needed is None:
            filled_cash = self.of.filled_cash if self.of else 0
            leaves = self.qty - self.filled_qty
            self._needed = self.market.reservation(self.worst_price(), leaves, filled_cash)
        return self._needed


def draft_of(state: State, new: NewOrder) -> Draft | None:
    """What the portfolio, which must exist, asks for; None when there is no such instrument."""
    market = state.markets.get(new.symbol)
    if market is None or market.rules is None:
        return None
    price = new.limit_price if new.type == "limit" else None
    return Draft(state.portfolios[new.portfolio], market, market.rules, new.side == "buy", new.qty, price)


def refuse_new(state: State, new: NewOrder, draft: Draft | None, at_ns: int) -> Refusal | None:
    """Why the order may not come in; None when it may. `draft` is draft_of it."""
    if 0 < new.deadline_ns < at_ns:
        return refusals.late(new.deadline_ns, at_ns)
    if draft is None:
        return refusals.unknown_symbol(new.symbol)
    if not draft.rules.tradable or draft.rules.currency != draft.portfolio.currency:
        return refusals.instrument(draft)
    if new.type == "limit" and new.limit_price is None:
        return refusals.unsupported("A limit order needs a limit price.")
    if new.type == "market" and new.limit_price is not None:
        return refusals.unsupported("A market order has no limit price.")
    if not state.permit.enter:
        return refusals.closed(state, NO_ENTRY)
    if draft.market.halted:
        return refusals.halted(state, draft.market)
    if not state.permit.match and (draft.price is None or new.time_in_force in IMMEDIATE):
        return refusals.closed(state, NEEDS_MATCHING)
    if refusal := _refuse_shape(state, draft, at_ns):
        return refusal
    if draft.portfolio.status != "active":
        return refusals.frozen(draft.portfolio)
    if len(draft.portfolio.orders) >= ORDERS_OPEN_MAX:
        return refusals.too_many(ORDERS_OPEN_MAX)
    return _refuse_money(draft)


def refuse_replaced(state: State, draft: Draft, at_ns: int) -> Refusal | None:
    """Whether an open order may become `draft`. Its being open was checked before."""
    if not draft.rules.tradable or draft.rules.currency != draft.portfolio.currency:
        return refusals.instrument(draft)
    if not state.permit.enter:
        return refusals.closed(state, NO_ENTRY)
    if draft.market.halted:
        return refusals.halted(state, draft.market)
    return _refuse_shape(state, draft, at_ns) or _refuse_money(draft)


def refuse_resting(market: Market, order: Order) -> Refusal | None:
    """Whether an order that rests may go on doing so under today's rules and limits."""
    assert market.rules is not None
    price, (low, high) = order.price, market.limits
    draft = Draft(
        order.portfolio, market, market.rules, order.buys, order.qty, price, order.filled_qty, order
    )
    if not draft.rules.tradable or draft.rules.currency != draft.portfolio.currency:
        return refusals.instrument(draft)
    if price <= 0 or price % draft.rules.tick:
        return refusals.tick(draft, price)
    if price < low or (high and price > high):
        return refusals.band(draft, price)
    return _refuse_money(draft)


def refuse_late(deadline_ns: int, at_ns: int) -> Refusal | None:
    return refusals.late(deadline_ns, at_ns) if 0 < deadline_ns < at_ns else None


def _refuse_shape(state: State, draft: Draft, at_ns: int) -> Refusal | None:
    """Price and quantity against the venue's rules of the day."""
    rules, market, price, qty = draft.rules, draft.market, draft.price, draft.qty
    low, high = market.limits
    if price is not None and (price <= 0 or price % rules.tick):
        return refusals.tick(draft, price)
    if (qty <= 0 or qty % rules.lot or qty < rules.least_qty) and not _may_be_odd(draft):
        return refusals.lot(draft)
    if qty > rules.qty_max or market.worth_at_most(price or market.last_price, qty) > INT64_MAX:
        return refusals.size(draft)
    if price is None:
        if not market.is_fresh(at_ns) or not market.side(buys=not draft.buys).shown:
            return refusals.no_price(draft, at_ns)
        return None
    if price < low or (high and price > high):
        return refusals.band(draft, price)
    if rules.cage_ppb and state.phase == Phase.CONTINUOUS:
        cage = market.cage(at_ns, buys=draft.buys)
        if cage and (price > cage if draft.buys else price < cage):
            return refusals.cage(draft, price, cage)
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
    if draft.buys:
        cash, of = draft.portfolio.cash, draft.of
        needed = draft.cash_needed() - (of.reserved_cash if of else 0)
        return refusals.cash(draft) if needed > cash.posted - cash.reserved else None
    return refusals.holding(draft) if draft.qty - draft.filled_qty > draft.sellable else None
