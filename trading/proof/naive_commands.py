"""What the naive engine does with each command. See `naive.py`."""

from __future__ import annotations

from typing import Any

from market.rulebook.rules import PPB
from market.ticks import PhaseTick, Print, Quote, Reference
from trading.engine import commands as c
from trading.proof.naive import Resting
from trading.proof.naive_orders import age
from trading.proof.naive_refusals import AUCTIONS, Refusals, Refuse


class Naive(Refusals):
    def apply(self, command: Any, seq: int, at_ns: int) -> str:
        """ "" or the code of the refusal; `fills` and `touched` tell what happened."""
        self.seq, self.at = seq, at_ns
        self.fills, self.touched, self.links = [], {}, {}
        try:
            getattr(self, VERBS[type(command)])(command)
        except Refuse as refused:
            return str(refused)
        self.follow_links()
        return ""

    def follow_links(self) -> None:
        while self.links:
            links, self.links = self.links, {}
            for _, o in sorted(links.items()):
                (self.follow_entry if o.legs else self.follow_leg)(o)

    # the world --------------------------------------------------------------------------------------
    def on_set_rules(self, command: c.SetRules) -> None:
        self.rules[command.rules.symbol] = command.rules

    def on_open_portfolio(self, command: c.OpenPortfolio) -> None:
        self.cash[command.portfolio] = command.cash

    def on_reference(self, tick: Reference) -> None:
        self.close[tick.symbol] = tick.previous_close
        self.limits[tick.symbol] = (tick.limit_low, tick.limit_high)

    def on_adjust(self, command: c.Adjust) -> None:
        who, amount, key = command.portfolio, command.amount, (command.portfolio, command.asset)
        if command.asset not in self.rules:
            if self.cash[who] - self.reserved_cash(who) + amount < 0:
                raise Refuse("INSUFFICIENT_CASH")
            self.cash[who] += amount
            return
        free = self.held.get(key, 0) - self.reserved_qty(*key)
        if free + amount < 0:
            raise Refuse("INSUFFICIENT_SELLABLE")
        self.held[key] = self.held.get(key, 0) + amount
        if amount < 0:
            self.bought[key] = min(self.bought.get(key, 0), free + amount)

    def on_freeze(self, command: c.Freeze) -> None:
        who = command.portfolio
        if command.frozen == (who in self.frozen):
            return
        (self.frozen.add if command.frozen else self.frozen.discard)(who)
        if command.frozen:
            for o in sorted((o for o in self.orders.values() if o.who == who), key=age):
                self.finish(o, "canceled", "ACCOUNT_FROZEN")

    def on_halt(self, command: c.Halt) -> None:
        symbol = command.symbol
        if command.halted == (symbol in self.halted):
            return
        (self.halted.add if command.halted else self.halted.discard)(symbol)
        for o in self.orders.values():
            if o.symbol == symbol and o.status != "held":
                o.status = "suspended" if command.halted else "partially_filled" if o.filled else "new"
                self.touch(o)
        if not command.halted:
            self.resume(symbol)

    def on_phase(self, tick: PhaseTick) -> None:
        self.world_ns = 0
        self.tell_time(tick.at_ns)
        new_day = tick.market_day != self.day
        before = (self.phase, self.paused)
        if not new_day and before == (tick.phase, tick.paused):
            return
        if not new_day and not tick.paused and self.phase in AUCTIONS and tick.phase not in AUCTIONS:
            for symbol in sorted(self.rules):
                self.end_auction(symbol, "cls" if self.opened or tick.phase == "closed" else "opg")
        if new_day:
            self.opened = False
            self.bought.clear()
        self.phase, self.paused, self.day = tick.phase, tick.paused, tick.market_day
        self.opened = self.opened or tick.phase == "continuous"
        for o in sorted(self.orders.values(), key=age):
            over = o.day != self.day or (self.phase == "closed" and not self.paused)
            if o.tif in ("day", "opg", "cls") and over:
                self.finish(o, "expired", "DAY_ENDED")
        if before != ("continuous", False):
            for symbol in sorted(self.rules):
                self.resume(symbol)

    def tell_time(self, world_ns: int) -> None:
        self.world_ns = max(self.world_ns, world_ns)
        for o in sorted(self.orders.values(), key=age):
            if 0 < o.expire <= self.world_ns and o.id in self.orders:
                self.finish(o, "expired", "TIME_REACHED")

    def on_quote(self, quote: Quote) -> None:
        self.tell_time(quote.at_ns)
        self.show(quote)
        self.resume(quote.symbol)
        if self.matches(quote.symbol):
            ask, bid = self.best(quote.symbol, False), self.best(quote.symbol, True)
            self.fire(quote.symbol, "quote", ask, bid)

    def on_print(self, tick: Print) -> None:
        self.tell_time(tick.at_ns)
        self.last[tick.symbol] = tick.price
        if self.at - tick.received_ns > self.rules[tick.symbol].quote_age_ns_max:
            return
        if not self.matches(tick.symbol):
            return
        self.printed(tick)
        for _, o in sorted(self.orders.items()):
            if o.symbol == tick.symbol and o.armed and o.hwm is not None:
                self.trail(o, tick.price)
        self.fire(tick.symbol, "print", tick.price, tick.price)

    def end_auction(self, symbol: str, only: str) -> None:
        mine = [o for o in self.orders.values() if o.symbol == symbol]
        takes_part = [o for o in mine if o.waits in ("phase", "quote") or (o.waits and o.tif == only)]
        if self.fresh(symbol) and symbol not in self.halted:
            kept: list[Resting] = []
            for o in sorted(takes_part, key=age):
                sign = 1 if o.buys else -1
                own = [
                    k
                    for k in kept
                    if k.who == o.who and k.buys != o.buys and o.price * sign >= k.price * sign
                ]
                if own:
                    self.finish(o, "canceled", "SELF_TRADE")
                else:
                    kept.append(o)
            self.cross(symbol, kept, only)
        for o in sorted(mine, key=age):
            if o.tif == only and o.waits == "auction":
                self.finish(o, "canceled", "AUCTION_ENDED")

    def resume(self, symbol: str) -> None:
        if self.matches(symbol):
            self.release(symbol)
            self.meet(symbol, True)
            self.meet(symbol, False)

    # orders -----------------------------------------------------------------------------------------
    def on_new_order(self, new: c.NewOrder) -> None:
        asked = getattr(new, "terms", None) or c.Terms()
        if new.qty <= 0 and not asked.notional:
            raise Refuse("BAD_QTY_OR_LOT")
        o = Resting(
            id=new.order_id, who=new.portfolio, symbol=new.symbol, buys=new.side == "buy", kind=new.type,
            tif=new.time_in_force, qty=new.qty, limit=new.limit_price, price=0, seq=self.seq, day=self.day,
            stop=asked.stop_price, trail=asked.trail_price, trail_ppb=asked.trail_ppb, expire=asked.expire_ns,
            fired_by=asked.fired_by, post_only=asked.post_only, order_class=asked.order_class,
        )  # fmt: skip
        base = self.draft(o, asked)
        try:
            self.refuse_new(o, new, asked, base)
        except Refuse as refused:
            if o.qty <= 0:
                raise
            o.status, o.reason = "rejected", str(refused)
            self.ended[o.id] = (o.who, "rejected")
            self.touched[o.id] = o
            return
        o.status, o.waits = "new", "arriving"
        self.orders[o.id] = o
        legs = [each for each in (asked.take_profit, asked.stop_loss) if each is not None]
        if o.order_class == "oco":
            o.leg, o.sibling = "take_profit", legs[0].order_id
        else:
            o.legs = tuple(leg.order_id for leg in legs)
        self.touch(o)
        for leg in legs:
            self.hold(o, leg, [other.order_id for other in legs if other is not leg])
        self.set_out(o)

    def on_close_position(self, asked: c.ClosePosition) -> None:
        who, symbol = asked.portfolio, asked.symbol
        held = self.held.get((who, symbol), 0)
        if not held:
            raise Refuse("INSUFFICIENT_SELLABLE")
        qty = asked.qty if asked.qty is not None else self.sellable(who, symbol)
        if asked.share_ppb is not None and asked.share_ppb < PPB:
            lot = self.rules[symbol].lot
            qty = held * asked.share_ppb // PPB // lot * lot
        if qty <= 0:
            raise Refuse("BAD_QTY_OR_LOT" if self.sellable(who, symbol) > 0 else "INSUFFICIENT_SELLABLE")
        self.on_new_order(
            c.NewOrder(who, asked.order_id, asked.client_order_id, symbol, "sell", "market", "day", qty, None,
                       asked.deadline_ns)
        )  # fmt: skip

    def draft(self, o: Resting, asked: c.Terms) -> int | None:
        """Fills in stop, quantity and worst price. What its collar is measured from."""
        base = self.base(o.symbol) if o.tif in ("opg", "cls") else None
        if o.kind == "trailing_stop":
            o.hwm = self.base(o.symbol)
            o.stop = self.behind(o, o.hwm) if o.hwm else 0
        if o.stop is not None:
            base = o.stop
        best = self.best(o.symbol, not o.buys)
        if asked.notional is not None:
            price = o.limit or base or best
            rules = self.rules[o.symbol]
            shift = rules.price_exponent + rules.qty_exponent - rules.cash_exponent
            most = asked.notional * 10**shift // (price * rules.multiplier) if price else 0
            o.qty = most // rules.lot * rules.lot
        if o.limit is not None:
            o.price = o.limit
        elif base or best:
            o.price = self.collar(o.symbol, base or best, o.buys)
        return base

    def hold(self, parent: Resting, leg: c.Leg, others: list[str]) -> None:
        entry = parent.order_class != "oco"
        kind = "limit" if leg.stop_price is None else "stop" if leg.limit_price is None else "stop_limit"
        price = leg.limit_price or self.collar(parent.symbol, leg.stop_price or 0, False)
        o = Resting(
            id=leg.order_id, who=parent.who, symbol=parent.symbol, buys=False, kind=kind, tif=parent.tif,
            qty=parent.qty, limit=leg.limit_price, price=price, seq=self.seq, day=self.day, status="held",
            stop=leg.stop_price, fired_by=parent.fired_by, expire=parent.expire,
            leg="take_profit" if leg.stop_price is None else "stop_loss",
            parent=parent.id if entry else "", sibling=(others or [""])[0] if entry else parent.id,
        )  # fmt: skip
        self.orders[o.id] = o
        self.touch(o)

    # cancel and change ------------------------------------------------------------------------------
    def on_cancel(self, asked: c.CancelOrder) -> None:
        o = self.touching(asked)
        self.finish(o, "canceled", "REQUESTED")

    def on_cancel_all(self, asked: c.CancelAll) -> None:
        if 0 < asked.deadline_ns < self.at:
            raise Refuse("STALE_ORDER")
        mine = [o for o in self.orders.values() if o.who == asked.portfolio]
        mine = [o for o in mine if asked.symbol in ("", o.symbol)]
        if mine and self.phase == "auction_locked":
            raise Refuse("MARKET_CLOSED")
        for o in sorted(mine, key=age):
            self.finish(o, "canceled", "REQUESTED")

    def on_replace(self, asked: c.ReplaceOrder) -> None:
        o = self.touching(asked)
        if o.status == "suspended":
            raise Refuse("HALTED")
        tif = asked.time_in_force
        if tif in ("ioc", "fok", "opg", "cls") or (tif is not None and o.tif in ("opg", "cls")):
            raise Refuse("UNSUPPORTED")
        if asked.limit_price is not None and o.limit is None:
            raise Refuse("UNSUPPORTED")
        to = Resting(**o.__dict__)
        to.qty = o.qty if asked.qty is None else asked.qty
        to.limit = o.limit if asked.limit_price is None else asked.limit_price
        to.tif = tif or o.tif
        to.stop = getattr(asked, "stop_price", None) or o.stop
        to.expire = o.expire if to.tif == "gtd" else 0
        self.refuse_replaced(o, to, asked)
        if to.qty <= o.filled:
            o.qty = o.filled
            self.finish(o, "filled", "")
            return
        moved = to.price != o.price or to.qty > o.qty
        armed, aside, held = o.armed, o.waits in ("stop", "auction"), o.status == "held"
        for name in ("qty", "limit", "price", "stop", "expire", "basis"):
            setattr(o, name, getattr(to, name))
        if tif is not None:
            o.tif, o.day = to.tif, self.day
        self.touch(o)
        if held:
            o.armed = armed
            return
        if moved or aside:
            o.seq = self.seq
        if (o.stop is not None and not o.triggered) or o.tif in ("opg", "cls") or moved:
            self.set_out(o)


VERBS: dict[type, str] = {
    c.SetRules: "on_set_rules",
    c.OpenPortfolio: "on_open_portfolio",
    c.Adjust: "on_adjust",
    c.Freeze: "on_freeze",
    c.Halt: "on_halt",
    PhaseTick: "on_phase",
    Reference: "on_reference",
    Quote: "on_quote",
    Print: "on_print",
    c.NewOrder: "on_new_order",
    c.NewOrderWithTerms: "on_new_order",
    c.ClosePosition: "on_close_position",
    c.CancelOrder: "on_cancel",
    c.CancelAll: "on_cancel_all",
    c.ReplaceOrder: "on_replace",
    c.ReplaceWithTerms: "on_replace",
}
