"""Why the naive engine says no, first reason first. See `naive.py`."""

from __future__ import annotations

from itertools import pairwise

from trading.engine import commands as c
from trading.proof.naive import Resting
from trading.proof.naive_orders import Orders

ENTER = ("auction", "auction_locked", "continuous", "break")
AUCTIONS = ("auction", "auction_locked")


class Refuse(Exception):
    """The code."""


class Refusals(Orders):
    def refuse_new(self, o: Resting, new: c.NewOrder, asked: c.Terms, base: int | None) -> None:
        rules = self.rules[o.symbol]
        if 0 < new.deadline_ns < self.at:
            raise Refuse("STALE_ORDER")
        self.refuse_instrument(o)
        if (o.kind in ("limit", "stop_limit")) != (o.limit is not None):
            raise Refuse("UNSUPPORTED")
        if o.kind == "trailing_stop" and not o.stop:
            raise Refuse("NO_FRESH_PRICE")
        if o.stop is not None:
            self.refuse_passed(o)
        if (o.tif == "gtd") != bool(o.expire) or 0 < o.expire <= self.world_ns:
            raise Refuse("UNSUPPORTED")
        if asked.notional is not None and o.qty <= 0:
            raise Refuse("BAD_QTY_OR_LOT")
        if asked.order_class != "simple":
            self.refuse_legs(o, asked)
        self.refuse_effect(o)
        self.refuse_phase(o)
        self.refuse_shape(o, base, None, rules.lot)
        if o.who in self.frozen:
            raise Refuse("ACCOUNT_FROZEN")
        self.refuse_money(o, None)

    def refuse_instrument(self, o: Resting) -> None:
        """Whether its portfolio may have it at all."""

    def refuse_effect(self, o: Resting) -> None:
        """Whether it may do to its position what it says."""

    def refuse_phase(self, o: Resting) -> None:
        symbol = o.symbol
        if o.tif == "opg" and self.opened:
            raise Refuse("MARKET_CLOSED")
        if o.tif in ("opg", "cls") and o.kind == "market" and not self.base(symbol):
            raise Refuse("NO_FRESH_PRICE")
        if self.phase not in ENTER:
            raise Refuse("MARKET_CLOSED")
        if symbol in self.halted:
            raise Refuse("HALTED")
        now = o.tif in ("ioc", "fok") or (o.kind == "market" and o.tif not in ("opg", "cls"))
        if now and (self.phase != "continuous" or self.paused):
            raise Refuse("MARKET_CLOSED")

    def refuse_passed(self, o: Resting) -> None:
        last, stop = self.last.get(o.symbol, 0), o.stop or 0
        if last and (stop <= last if o.buys else stop >= last):
            raise Refuse("PRICE_OUT_OF_BAND")

    def refuse_legs(self, o: Resting, asked: c.Terms) -> None:
        profit, loss, tick = asked.take_profit, asked.stop_loss, self.rules[o.symbol].tick
        if asked.order_class != "oco" and self.rules[o.symbol].lock_days:
            raise Refuse("UNSUPPORTED")
        for leg in (profit, loss):
            if leg and any(price is not None and price % tick for price in (leg.limit_price, leg.stop_price)):
                raise Refuse("BAD_TICK_SIZE")
        low, high = loss.stop_price if loss else None, profit.limit_price if profit else None
        rising = [price for price in (low, o.limit, high) if price is not None]
        if any(a >= b for a, b in pairwise(rising)):
            raise Refuse("PRICE_OUT_OF_BAND")

    def refuse_shape(self, o: Resting, base: int | None, was: Resting | None, lot: int) -> None:
        """`was`: the order that stands and would become `o`."""
        rules, (low, high) = self.rules[o.symbol], self.limits.get(o.symbol, (0, 0))
        if o.limit is not None and (o.limit <= 0 or o.limit % rules.tick):
            raise Refuse("BAD_TICK_SIZE")
        if (o.qty <= 0 or o.qty % lot or o.qty < rules.least_qty) and not self.may_be_odd(o, was):
            raise Refuse("BAD_QTY_OR_LOT")
        if o.qty > rules.qty_max:
            raise Refuse("EXCEEDS_LIMIT")
        if o.stop is not None and not o.triggered and (o.stop <= 0 or o.stop % rules.tick):
            raise Refuse("BAD_TICK_SIZE")
        if o.limit is None:
            if base is None and not (self.fresh(o.symbol) and self.best(o.symbol, not o.buys)):
                raise Refuse("NO_FRESH_PRICE")
            return
        if o.limit < low or (high and o.limit > high):
            raise Refuse("PRICE_OUT_OF_BAND")
        waits = o.stop is not None and not o.triggered
        if rules.cage_ppb and self.phase == "continuous" and not self.paused and not waits:
            cage = self.cage(o.symbol, o.buys)
            if cage and (o.limit > cage if o.buys else o.limit < cage):
                raise Refuse("PRICE_OUT_OF_BAND")

    def may_be_odd(self, o: Resting, was: Resting | None) -> bool:
        if was is not None and was.qty == o.qty:
            return True
        rules = self.rules[o.symbol]
        if o.buys or not rules.odd_lot_sell:
            return False
        sellable, wanted = self.sellable(o.who, o.symbol) + (self.reserve(was)[1] if was else 0), o.leaves
        if not 0 < wanted <= sellable:
            return False
        return wanted % rules.lot == sellable % rules.lot if rules.lot > 1 else wanted == sellable

    def refuse_money(self, o: Resting, was: Resting | None) -> None:
        cash, qty = self.reserve(was) if was else (0, 0)
        status, o.status = o.status, "new"
        needs = self.reserve(o)
        o.status = status
        if o.buys and needs[0] - cash > self.cash[o.who] - self.reserved_cash(o.who):
            raise Refuse("INSUFFICIENT_CASH")
        if not o.buys and o.leaves > self.sellable(o.who, o.symbol) + qty:
            raise Refuse("INSUFFICIENT_SELLABLE")

    def refuse_replaced(self, o: Resting, to: Resting, asked: c.ReplaceOrder) -> None:
        if (o.parent or (o.sibling and o.leg == "stop_loss")) and to.qty != o.qty:
            raise Refuse("UNSUPPORTED")
        if (to.tif == "gtd") != bool(to.expire) or 0 < to.expire <= self.world_ns:
            raise Refuse("UNSUPPORTED")
        asks_stop = getattr(asked, "stop_price", None) is not None
        waits = o.stop is not None and not o.triggered
        if asks_stop and (not waits or o.hwm is not None):
            raise Refuse("UNSUPPORTED")
        same = ("qty", "limit", "tif", "stop", "expire")
        if all(getattr(o, name) == getattr(to, name) for name in same):
            raise Refuse("NOTHING_TO_REPLACE")
        if to.limit is not None:
            to.price = to.limit
        elif waits:
            to.price = self.collar(o.symbol, to.stop or 0, o.buys)
        else:
            to.price = self.collar(o.symbol, self.base(o.symbol) or o.price, o.buys)
        if 0 < to.qty <= o.filled:
            return
        changed = to.stop != o.stop or to.expire != o.expire
        if waits and changed:
            self.refuse_passed(to)
        if self.phase not in ENTER:
            raise Refuse("MARKET_CLOSED")
        if o.symbol in self.halted:
            raise Refuse("HALTED")
        self.refuse_shape(to, to.price if to.limit is None else None, o, self.rules[o.symbol].lot)
        if o.status != "held":
            self.refuse_money(to, o)

    def touching(self, asked: c.CancelOrder | c.ReplaceOrder) -> Resting:
        if 0 < asked.deadline_ns < self.at:
            raise Refuse("STALE_ORDER")
        o = self.orders.get(asked.order_id)
        owner, status = (o.who, "") if o else self.ended.get(asked.order_id, (0, ""))
        if owner != asked.portfolio:
            raise Refuse("UNKNOWN_ORDER")
        if o is None:
            raise Refuse("TOO_LATE_TO_CANCEL" if status == "filled" else "ALREADY_TERMINAL")
        if self.phase == "auction_locked":
            raise Refuse("MARKET_CLOSED")
        return o
