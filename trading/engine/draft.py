"""What an order would be, if it came in: the numbers that its refusals are decided by."""

from __future__ import annotations

import msgspec

from market.rulebook.rules import InstrumentRules
from trading.engine import margin, prices
from trading.engine.commands import NewOrder, NewOrderWithTerms, Terms
from trading.engine.events import Basis
from trading.engine.markets import Market
from trading.engine.orders import AUCTION_ONLY, Order
from trading.engine.state import Portfolio, State


class Draft(msgspec.Struct, gc=False):
    """A new order, or one that would be replaced (then `of` is the order that stands).

    Its worst price and the cash it needs are computed once, where they are first asked for.
    """

    portfolio: Portfolio
    market: Market
    rules: InstrumentRules
    buys: bool
    qty: int
    price: int | None  # its limit; None when it has none
    filled_qty: int = 0
    of: Order | None = None
    stop: int | None = None
    base: int | None = None  # what its collar is measured from; None: the best displayed price
    effect: str = ""  # a margin portfolio's order: on the position
    basis: Basis | None = None  # … and what its hold is computed from
    _worst: int | None = None
    _needed: int | None = None

    def of_qty(self, qty: int) -> Draft:
        """The same with another quantity."""
        return msgspec.structs.replace(self, qty=qty, _needed=None)

    @property
    def opens(self) -> bool:
        """It holds cash against what it may get; else it holds what it gives."""
        return self.effect == margin.OPEN if self.effect else self.buys

    @property
    def sellable(self) -> int:
        """What could be sold now, this order's own reservation included."""
        own = self.of.reserved_qty if self.of else 0
        position = self.portfolio.positions.get(self.market.symbol)
        if position is None:
            return own
        return (position.closable(self.effect) if self.effect else position.sellable) + own

    @property
    def bought_or_asked(self) -> int:
        """What was bought today, and what other open orders may still buy. Where bought lots are locked."""
        position = self.portfolio.positions.get(self.market.symbol)
        others = (o for o in self.portfolio.orders.values() if o.market is self.market and o.buys)
        asked = sum(order.leaves for order in others if order is not self.of)
        return asked - self.filled_qty + (position.bought_today if position else 0)

    @property
    def free_cash(self) -> int:
        """What it may cost at most, this order's own reservation included."""
        return self.portfolio.cash.available + (self.of.reserved_cash if self.of else 0)

    def worst_price(self) -> int:
        """The worst price it may trade at: its limit, or the collar around its base."""
        if self.price is not None:
            return self.price
        if self._worst is None:
            base = self.base or self.market.side(buys=not self.buys).shown[0][0]
            self._worst = prices.collar(self.rules, base, self.market.limits, buys=self.buys)
        return self._worst

    def cash_needed(self) -> int:
        """What it must hold back: a buy see Market.reservation, in margin portfolios margin.hold."""
        if self._needed is None:
            price, leaves = self.price, self.qty - self.filled_qty
            if price is None:
                price = self.worst_price()
            filled_cash = self.of.filled_cash if self.of is not None else 0
            if self.basis is not None:
                self._needed = margin.hold(
                    self.portfolio.margin,
                    self.market,
                    self.basis,
                    self.effect,
                    buys=self.buys,
                    price=price,
                    leaves=leaves,
                    filled=(filled_cash, self.filled_qty),
                )
                return self._needed
            self._needed = self.market.reservation(price, leaves, filled_cash, self.filled_qty)
        return self._needed


def draft_of(state: State, new: NewOrder) -> Draft | None:
    """What the portfolio, which must exist, asks for; None when there is no such instrument."""
    market = state.markets.get(new.symbol)
    if market is None or market.rules is None:
        return None
    portfolio = state.portfolios[new.portfolio]
    draft = Draft(portfolio, market, market.rules, new.side == "buy", new.qty, new.limit_price)
    if new.time_in_force in AUCTION_ONLY:
        draft.base = market.base_price()
    asked = new.terms if type(new) is NewOrderWithTerms else None
    if asked is not None:
        _add_terms(draft, asked)
    if portfolio.margin is not None:
        intent = asked.position_intent if asked is not None else ""
        position = portfolio.positions.get(new.symbol)
        effect = margin.effect_of(position, market, intent, buys=draft.buys)
        set_effect(draft, effect)
    return draft


def set_effect(draft: Draft, effect: str) -> None:
    """It is a margin portfolio's: held back is what it may cost by today's marks."""
    draft.effect = effect
    draft.basis = margin.basis_of(draft.portfolio, draft.market)


def _add_terms(draft: Draft, terms: Terms) -> None:
    market, touch = draft.market, draft.market.side(buys=not draft.buys).shown
    if terms.stop_price is not None:
        draft.stop = draft.base = terms.stop_price
    elif terms.trail_price is not None or terms.trail_ppb is not None:
        draft.stop = draft.base = stop_behind(
            draft.rules, market.base_price(), terms.trail_price, terms.trail_ppb, buys=draft.buys
        )
    if terms.notional is not None:
        price = draft.price or draft.base or (touch[0][0] if touch else 0)
        draft.qty = market.lots_for(terms.notional, price)


def stop_behind(
    rules: InstrumentRules, hwm: int, trail_price: int | None, trail_ppb: int | None, *, buys: bool
) -> int:
    """The stop price that trails `hwm`; 0 when that is unknown. Percentages are half-up to the tick."""
    if not hwm:
        return 0
    if trail_price is not None:
        return max(hwm + trail_price if buys else hwm - trail_price, rules.tick)
    return prices.distant(hwm, trail_ppb or 0, rules.tick, 1, above=buys)
