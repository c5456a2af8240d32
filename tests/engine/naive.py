"""A second engine, as plain as can be: lists, sorted each time. Limit and market orders, one instrument,
displayed depth, prints, cancels, no fees. It knows who trades with whom, at which price, and who is left.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from market.ticks import Print, Quote
from trading.engine.commands import CancelOrder, NewOrder

COLLAR = 50  # per mille
Fill = tuple[str, int, int]  # order, price, quantity


@dataclass
class Resting:
    order: NewOrder
    seq: int
    leaves: int
    ahead: int = 0


@dataclass
class Naive:
    shown: dict[str, dict[int, int]] = field(default_factory=lambda: {"buy": {}, "sell": {}})
    taken: dict[str, dict[int, int]] = field(default_factory=lambda: {"buy": {}, "sell": {}})
    resting: list[Resting] = field(default_factory=list)
    seq: int = 0

    def apply(self, command: NewOrder | CancelOrder | Quote | Print) -> list[Fill]:
        self.seq += 1
        if isinstance(command, NewOrder):
            return self.new(command)
        if isinstance(command, CancelOrder):
            self.resting = [each for each in self.resting if each.order.order_id != command.order_id]
            return []
        return self.quote(command) if isinstance(command, Quote) else self.printed(command)

    def line(self, side: str) -> list[Resting]:
        """Who rests on one side, who is served first to last."""
        sign = -1 if side == "buy" else 1
        mine = [each for each in self.resting if each.order.side == side]
        return sorted(mine, key=lambda each: (each.order.limit_price * sign, each.seq))

    def left(self, side: str, price: int) -> int:
        return max(self.shown[side].get(price, 0) - self.taken[side].get(price, 0), 0)

    def use(self, side: str, price: int, size: int) -> None:
        self.taken[side][price] = self.taken[side].get(price, 0) + size
        for each in self.resting:
            if each.order.side == side and each.order.limit_price == price:
                each.ahead = max(each.ahead - size, 0)

    def new(self, order: NewOrder) -> list[Fill]:
        other = "sell" if order.side == "buy" else "buy"
        sign = 1 if order.side == "buy" else -1
        limit, want, fills = order.limit_price, order.qty, []
        if limit is None:
            if not self.shown[other]:
                return []  # refused
            best = min(self.shown[other], key=lambda price: price * sign)
            limit = (best * (1000 + sign * COLLAR) * 2 + 1000) // 2000
        stopped = False
        for price, each in self.queue(other):
            if not want or price * sign > limit * sign:
                break
            if each is None:
                size = min(want, self.room(other, price))
                if size:
                    self.use(other, price, size)
                    fills.append((order.order_id, price, size))
            elif each.order.portfolio == order.portfolio:
                stopped = True
                break
            else:
                size = min(want, each.leaves)
                fills += [(order.order_id, price, size), (each.order.order_id, price, size)]
                each.leaves -= size
            want -= size
            self.resting = [each for each in self.resting if each.leaves]
        filled = order.qty - want
        if order.time_in_force == "fok" and want:
            raise AssertionError("fok orders are not for this model")
        if want and not stopped and order.limit_price is not None and order.time_in_force in ("day", "gtc"):
            ahead = self.left(order.side, order.limit_price)
            self.resting.append(Resting(order, self.seq, order.qty - filled, ahead))
        return fills

    def queue(self, side: str) -> list[tuple[int, Resting | None]]:
        """Each step a taker could make, best first: (price, an order), or None for displayed size. Before
        every order stands what is ahead of it; behind the last, what was displayed after it came.
        """
        sign = -1 if side == "buy" else 1
        prices = {each.order.limit_price for each in self.resting if each.order.side == side}
        steps: list[tuple[int, Resting | None]] = []
        for price in sorted(prices | set(self.shown[side]), key=lambda price: price * sign):
            for each in self.line(side):
                if each.order.limit_price == price:
                    steps += [(price, None), (price, each)]
            steps.append((price, None))
        return steps

    def room(self, side: str, price: int) -> int:
        """Displayed size before the next order at this price: all that is left when nobody stands there."""
        here = [each for each in self.line(side) if each.order.limit_price == price]
        left = self.left(side, price)
        return min(here[0].ahead, left) if here else left

    def quote(self, quote: Quote) -> list[Fill]:
        for side, levels in (("buy", quote.bids), ("sell", quote.asks)):
            before, self.shown[side] = self.shown[side], dict(levels)
            if before == self.shown[side]:
                continue
            now = self.shown[side]
            self.taken[side] = {p: min(t, now[p]) for p, t in self.taken[side].items() if p in now}
            sign = -1 if side == "buy" else 1
            for each in self.line(side):
                seen = not levels or each.order.limit_price * sign <= levels[-1][0] * sign
                if seen:
                    each.ahead = min(each.ahead, self.left(side, each.order.limit_price))
        return [*self.reach("buy", "sell"), *self.reach("sell", "buy")]

    def reach(self, side: str, other: str) -> list[Fill]:
        """Displayed size of the other side that reaches those who rest fills them at their own price."""
        sign, fills = (1 if side == "buy" else -1), []
        for each in self.line(side):
            got = 0
            for price in sorted(self.shown[other], key=lambda price: price * sign):
                if price * sign <= each.order.limit_price * sign:
                    size = min(each.leaves - got, self.left(other, price))
                    if size:
                        self.use(other, price, size)
                    got += size
            if not got:
                break
            each.leaves -= got
            fills.append((each.order.order_id, each.order.limit_price, got))
        self.resting = [each for each in self.resting if each.leaves]
        return fills

    def printed(self, tick: Print) -> list[Fill]:
        left, fills = tick.size, []
        for side, hitter in (("buy", "buy"), ("sell", "sell")):
            used: dict[int, int] = {}  # by price that the print came to: displayed size it used there
            for each in self.line(side):
                price = each.order.limit_price
                through = price > tick.price if side == "buy" else price < tick.price
                reached = through or (price == tick.price and tick.side != hitter)
                if not reached or (not left and price not in used):
                    continue
                used.setdefault(price, 0)
                if through:
                    each.ahead = 0
                else:
                    step = min(max(each.ahead - used[price], 0), left)
                    used[price] += step
                    left -= step
                    each.ahead = max(each.ahead - used[price], 0)
                size = min(each.leaves, left)
                if size:
                    each.leaves -= size
                    left -= size
                    fills.append((each.order.order_id, price, size))
        self.resting = [each for each in self.resting if each.leaves]
        return fills
