"""What becomes of an order in the naive engine: it arrives, waits, is fired, follows others."""

from __future__ import annotations

from trading.proof.naive import OPEN, Books, Resting


def age(o: Resting) -> tuple[int, str]:
    return o.seq, o.id


class Orders(Books):
    def behind(self, o: Resting, hwm: int) -> int:
        if o.trail is not None:
            return max(hwm + o.trail if o.buys else hwm - o.trail, self.rules[o.symbol].tick)
        return self.away(o.symbol, hwm, o.trail_ppb or 0, 1, o.buys)

    def set_out(self, o: Resting) -> None:
        if o.stop is not None and not o.triggered:
            self.stand_by(o)
        elif o.tif in ("opg", "cls"):
            o.waits = "auction"
            self.touch(o)
        else:
            self.arrive(o)

    def stand_by(self, o: Resting) -> None:
        o.waits, o.armed = "stop", True
        if o.limit is None:
            o.price = self.collar(o.symbol, o.stop or 0, o.buys)
        self.touch(o)

    def arrive(self, o: Resting, again: bool = False) -> None:
        o.waits = "arriving"
        self.touch(o)
        if not self.matches(o.symbol):
            if o.tif in ("ioc", "fok"):
                self.finish(o, "canceled", "NO_FRESH_PRICE")
                return
            o.waits = "quote" if self.phase == "continuous" and not self.paused else "phase"
            o.ahead = 0
            return
        if not again:
            self.release(o.symbol)
        steps, own = self.walk(o)
        rests = o.limit is not None and o.tif not in ("ioc", "fok") and not own
        if o.post_only and (steps or own):
            self.finish(o, "canceled", "POST_ONLY")
            return
        if o.tif == "fok" and sum(size for _, size, _ in steps) < o.leaves:
            self.finish(o, "canceled", "FOK_NOT_FILLABLE")
            return
        for price, size, maker in steps:
            if maker is None:
                self.use(o.symbol, not o.buys, price, size)
            self.fill(o, price, size)
            if maker is not None:
                self.fill(maker, price, size, "maker")
        if o.leaves and rests:
            o.waits, o.ahead = "", self.side(o.symbol, o.buys).left(o.price)
        elif o.leaves:
            reason = "SELF_TRADE" if own else "NO_MORE_DEPTH" if o.limit is None else "IOC_REMAINDER"
            self.finish(o, "canceled", reason)

    def release(self, symbol: str) -> None:
        waiting = [o for o in self.orders.values() if o.symbol == symbol and o.waits in ("phase", "quote")]
        for o in waiting:
            o.waits = "arriving"
        for o in sorted(waiting, key=age):
            self.arrive(o, again=True)

    # stops ------------------------------------------------------------------------------------------
    def trail(self, o: Resting, price: int) -> None:
        if o.hwm is None or (price >= o.hwm if o.buys else price <= o.hwm):
            return
        o.hwm, o.stop = price, self.behind(o, price)
        o.price = self.collar(o.symbol, o.stop, o.buys)
        self.touch(o)

    def fire(self, symbol: str, by: str, for_buys: int, for_sells: int) -> None:
        fired = []
        for o in self.orders.values():
            if o.symbol == symbol and o.armed and o.fired_by == by and o.stop is not None:
                price = for_buys if o.buys else for_sells
                if price and (o.stop <= price if o.buys else o.stop >= price):
                    fired.append(o)
        for o in fired:
            o.armed = False
        for o in sorted(fired, key=lambda each: each.id):
            if o.id in self.orders:
                self.enter_fired(o)

    def enter_fired(self, o: Resting) -> None:
        if o.status == "held":
            other = self.orders.get(o.sibling)
            if other is None:
                return
            o.qty = other.leaves
            self.finish(other, "canceled", "LINKED_ORDER_TRIGGERED")
        if o.parent in self.orders:
            self.finish(self.orders[o.parent], "canceled", "LINKED_ORDER_TRIGGERED")
        o.triggered, o.seq, o.waits = True, self.seq, "arriving"
        o.status = "new"
        self.touch(o)
        best = self.best(o.symbol, not o.buys)
        if o.limit is None and best:
            price, before = self.collar(o.symbol, best, o.buys), o.price
            o.price = price
            if o.buys and self.cash[o.who] < self.reserved_cash(o.who):
                o.price = before  # no further than the cash reaches
        if o.limit is not None and (code := self.refuse_fired(o)):
            self.finish(o, "canceled", code)
            return
        self.arrive(o, again=True)

    def refuse_fired(self, o: Resting) -> str:
        low, high = self.limits.get(o.symbol, (0, 0))
        if o.price < low or (high and o.price > high):
            return "PRICE_OUT_OF_BAND"
        cage = self.cage(o.symbol, o.buys)
        return "PRICE_OUT_OF_BAND" if cage and (o.price > cage if o.buys else o.price < cage) else ""

    def cage(self, symbol: str, buys: bool) -> int:
        rules = self.rules[symbol]
        near = (self.best(symbol, not buys) or self.best(symbol, buys)) if self.fresh(symbol) else 0
        base = near or self.base(symbol)
        if not rules.cage_ppb or not base:
            return 0
        return self.away(symbol, base, rules.cage_ppb, rules.cage_ticks, buys)

    # linked orders ----------------------------------------------------------------------------------
    def follow_entry(self, o: Resting) -> None:
        legs = [self.orders[leg] for leg in o.legs if leg in self.orders]
        for leg in legs:
            if o.status not in OPEN and not o.filled:
                self.end_like(leg, o)
            elif leg.triggered or (o.filled and leg.sibling and leg.leg == "stop_loss"):
                continue
            elif o.filled and (leg.status == "held" or leg.qty < o.filled):
                self.protect(leg, o.filled)
            elif leg.status == "held" and leg.qty != (o.filled or o.qty):
                leg.qty = o.filled or o.qty
                self.touch(leg)

    def protect(self, leg: Resting, qty: int) -> None:
        if self.sellable(leg.who, leg.symbol) + self.reserve(leg)[1] < qty - leg.filled:
            self.finish(leg, "canceled", "INSUFFICIENT_SELLABLE")
            return
        leg.qty, leg.seq = qty, self.seq
        leg.status = "new" if leg.status == "held" else leg.status
        self.set_out(leg)

    def follow_leg(self, leg: Resting) -> None:
        other, entry = self.orders.get(leg.sibling), self.orders.get(leg.parent)
        if leg.status not in OPEN:
            if other is not None and not other.triggered:
                self.end_like(other, leg)
            if entry is not None and leg.status == "filled":
                self.finish(entry, "canceled", "LINKED_ORDER_FILLED")
        elif leg.leg == "take_profit" and leg.status != "held" and other is not None:
            stands = other.armed and other.qty == leg.leaves
            if not stands:
                other.armed, other.qty = True, leg.leaves
                self.touch(other)

    def end_like(self, o: Resting, other: Resting) -> None:
        if other.status == "expired":
            self.finish(o, "expired", other.reason)
        else:
            reason = "LINKED_ORDER_FILLED" if other.status == "filled" else "LINKED_ORDER_ENDED"
            self.finish(o, "canceled", reason)
