"""A second engine, as plain as can be: one list of orders, sorted each time, money counted anew each time.

Written from what the rules say, not from the engine's code. It shares the commands, the rules and nothing
else. `naive_commands.Naive` adds the commands, `naive_margin.NaiveMargin` margin portfolios.

One line per price: before each order stands displayed size (`ahead`), behind the last one what was shown
after it came. Whoever takes goes through the line from its front.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from market.rulebook.rules import PPB, InstrumentRules
from market.ticks import Print, Quote
from trading.proof.naive_auction import price_of

Fill = tuple[str, int, int, int, int]  # order, price, quantity, cash, fee
OPEN = ("new", "partially_filled", "suspended", "held")
MATCHING = ("continuous",)


class Resting:
    """An order, its numbers and nothing computed."""

    id: str
    who: int
    symbol: str
    buys: bool
    kind: str
    tif: str
    qty: int
    limit: int | None
    price: int  # the worst it may trade at

    def __init__(self, **facts: Any) -> None:
        self.filled = self.cash = self.fees = self.ahead = self.seq = self.expire = 0
        self.status = self.reason = self.waits = self.order_class = ""
        self.parent = self.sibling = self.leg = ""
        self.effect = self.intent = ""  # of a margin portfolio's: naive_credit.py
        self.basis = (0, 0, 0)
        self.legs: tuple[str, ...] = ()
        self.stop = self.trail = self.trail_ppb = self.hwm = None
        self.fired_by = "print"
        self.triggered = self.armed = self.post_only = False
        self.day = 0
        self.__dict__.update(facts)

    @property
    def leaves(self) -> int:
        return self.qty - self.filled

    @property
    def in_book(self) -> bool:
        return (
            self.status in OPEN
            and self.status != "held"
            and self.waits not in ("stop", "auction", "arriving")
        )


class Shown:
    """What the market displays of one side, and how much of it players took."""

    def __init__(self) -> None:
        self.levels: tuple[tuple[int, int], ...] = ()
        self.taken: dict[int, int] = {}

    def left(self, price: int) -> int:
        return max(dict(self.levels).get(price, 0) - self.taken.get(price, 0), 0)


def half_up(a: int, b: int) -> int:
    return (2 * a + b) // (2 * b)


class Books:
    """Who trades with whom, at which price, and what that costs."""

    def __init__(self) -> None:
        self.rules: dict[str, InstrumentRules] = {}
        self.orders: dict[str, Resting] = {}  # open
        self.ended: dict[str, tuple[int, str]] = {}
        self.cash: dict[int, int] = {}
        self.held: dict[tuple[int, str], int] = {}
        self.bought: dict[tuple[int, str], int] = {}  # today, locked until tomorrow
        self.frozen: set[int] = set()
        self.halted: set[str] = set()
        self.quotes: dict[str, Quote] = {}
        self.shown: dict[tuple[str, bool], Shown] = {}  # symbol, bids
        self.last: dict[str, int] = {}
        self.close: dict[str, int] = {}
        self.limits: dict[str, tuple[int, int]] = {}
        self.phase, self.paused, self.day, self.world_ns = "", False, 0, 0
        self.opened = False
        self.seq = self.at = 0
        self.fills: list[Fill] = []
        self.touched: dict[str, Resting] = {}
        self.links: dict[str, Resting] = {}

    # money ------------------------------------------------------------------------------------------
    def worth(self, symbol: str, price: int, qty: int) -> tuple[int, int]:
        """price x qty in minor units: rounded down, and rounded up."""
        rules = self.rules[symbol]
        shift = rules.price_exponent + rules.qty_exponent - rules.cash_exponent
        n = price * qty * rules.multiplier
        return (n // 10**shift, -(-n // 10**shift)) if shift >= 0 else (n * 10**-shift,) * 2

    def charged(self, symbol: str, buys: bool, worth: int) -> int:
        """F(worth) of an order's fills so far."""
        left = worth
        asked = 0
        for line in self.rules[symbol].fees if worth else ():
            if line.side in ("both", "buy" if buys else "sell") and line.role != "maker":
                amount = max(half_up(worth * line.rate_ppb, PPB), line.least)
                amount = amount if buys else min(amount, left)
                left -= amount
                asked += amount
        return asked

    def reserve(self, o: Resting) -> tuple[int, int]:
        """What an open order holds back: cash, quantity."""
        if o.status not in OPEN or o.status == "held":
            return 0, 0
        if not o.buys:
            return 0, o.leaves
        hold = self.worth(o.symbol, o.price, o.leaves)[1]
        fees = self.charged(o.symbol, True, o.cash + hold) - self.charged(o.symbol, True, o.cash)
        return hold + fees, 0

    def reserved_cash(self, who: int) -> int:
        return sum(self.reserve(o)[0] for o in self.orders.values() if o.who == who and o.buys)

    def reserved_qty(self, who: int, symbol: str) -> int:
        mine = (o for o in self.orders.values() if o.who == who and o.symbol == symbol and not o.buys)
        return sum(self.reserve(o)[1] for o in mine)

    def sellable(self, who: int, symbol: str) -> int:
        key = (who, symbol)
        return self.held.get(key, 0) - self.bought.get(key, 0) - self.reserved_qty(who, symbol)

    def fee(self, o: Resting, cash: int, role: str) -> int:
        """Of a fill that is not booked yet. Where makers and takers pay differently, each pays for itself."""
        lines = [
            line for line in self.rules[o.symbol].fees if line.side in ("both", "buy" if o.buys else "sell")
        ]
        if any(line.role for line in self.rules[o.symbol].fees):
            return sum(cash * line.rate_ppb // PPB for line in lines if line.role in ("", role))
        return self.charged(o.symbol, o.buys, o.cash + cash) - self.charged(o.symbol, o.buys, o.cash)

    def fill(self, o: Resting, price: int, qty: int, role: str = "taker") -> None:
        cash = self.worth(o.symbol, price, qty)[0]
        fee = self.fee(o, cash, role)
        o.filled, o.cash, o.fees = o.filled + qty, o.cash + cash, o.fees + fee
        key = (o.who, o.symbol)
        self.cash[o.who] += (-cash if o.buys else cash) - fee
        self.held[key] = self.held.get(key, 0) + (qty if o.buys else -qty)
        if o.buys and self.rules[o.symbol].lock_days:
            self.bought[key] = self.bought.get(key, 0) + qty
        self.fills.append((o.id, price, qty, cash, fee))
        self.touch(o)
        if o.leaves:
            o.status = "partially_filled"
        else:
            self.finish(o, "filled", "")

    def told(self, who: int, asset: str) -> tuple[int, int]:
        """A balance: what is there, and what orders hold of it."""
        if asset in self.rules:
            return self.held.get((who, asset), 0), self.reserved_qty(who, asset)
        return self.cash[who], self.reserved_cash(who)

    def touch(self, o: Resting) -> None:
        self.touched[o.id] = o
        if o.legs or o.parent or o.sibling:
            self.links[o.id] = o

    def finish(self, o: Resting, status: str, reason: str) -> None:
        o.status, o.reason, o.ahead, o.waits, o.armed = status, reason, 0, "", False
        self.orders.pop(o.id, None)
        self.ended[o.id] = (o.who, status)
        self.touch(o)

    # prices -----------------------------------------------------------------------------------------
    def base(self, symbol: str) -> int:
        return self.last.get(symbol, 0) or self.close.get(symbol, 0)

    def away(self, symbol: str, base: int, ppb: int, ticks: int, up: bool) -> int:
        tick = self.rules[symbol].tick
        if up:
            return max(half_up(base * (PPB + ppb), PPB * tick) * tick, base + ticks * tick)
        return max(min(half_up(base * (PPB - ppb), PPB * tick) * tick, base - ticks * tick), tick)

    def collar(self, symbol: str, base: int, buys: bool) -> int:
        rules, (low, high) = self.rules[symbol], self.limits.get(symbol, (0, 0))
        caged = (rules.cage_ppb, rules.cage_ticks) if rules.cage_ppb else (rules.collar_ppb, 1)
        price = self.away(symbol, base, *caged, buys)
        if buys:
            return min(price, high) if high else price
        return max(price, low)

    def best(self, symbol: str, bids: bool) -> int:
        levels = self.side(symbol, bids).levels
        return levels[0][0] if levels else 0

    def side(self, symbol: str, bids: bool) -> Shown:
        return self.shown.setdefault((symbol, bids), Shown())

    def fresh(self, symbol: str) -> bool:
        quote = self.quotes.get(symbol)
        return quote is not None and self.at <= quote.received_ns + self.rules[symbol].quote_age_ns_max

    def matches(self, symbol: str) -> bool:
        open_ = self.phase in MATCHING and not self.paused
        return open_ and symbol not in self.halted and self.fresh(symbol)

    # the line ---------------------------------------------------------------------------------------
    def line(self, symbol: str, buys: bool) -> list[Resting]:
        """Who stands in the book on one side, who is served first to last."""
        sign = -1 if buys else 1
        mine = [o for o in self.orders.values() if o.symbol == symbol and o.buys == buys and o.in_book]
        return sorted(mine, key=lambda o: (o.price * sign, o.seq, o.id))

    def use(self, symbol: str, buys: bool, price: int, size: int) -> None:
        taken = self.side(symbol, buys).taken
        taken[price] = taken.get(price, 0) + size
        for o in self.line(symbol, buys):
            if o.price == price:
                o.ahead = max(o.ahead - size, 0)

    def offers(self, symbol: str, buys: bool) -> Iterator[tuple[int, int, Resting | None]]:
        """One side as a taker finds it, as (price, size, whose): each price's line from its front."""
        sign = -1 if buys else 1
        line, shown = self.line(symbol, buys), self.side(symbol, buys)
        prices = {o.price for o in line} | {price for price, _ in shown.levels}
        for price in sorted(prices, key=lambda p: p * sign):
            left, passed = shown.left(price), 0
            for o in line:
                if o.price == price:
                    size = min(o.ahead, left) - passed
                    if size > 0:
                        yield price, size, None
                        passed += size
                    yield price, o.leaves, o
            if left > passed:
                yield price, left - passed, None

    def walk(self, taker: Resting) -> tuple[list[tuple[int, int, Resting | None]], bool]:
        """What it would take, and whether one of its own orders stopped it."""
        steps, want = [], taker.leaves
        for price, size, whose in self.offers(taker.symbol, not taker.buys):
            if not want or (price > taker.price if taker.buys else price < taker.price):
                break
            if whose is not None and whose.who == taker.who:
                return steps, True
            steps.append((price, min(size, want), whose))
            want -= steps[-1][1]
        return steps, False

    # ticks ------------------------------------------------------------------------------------------
    def show(self, quote: Quote) -> None:
        symbol, before = quote.symbol, self.quotes.get(quote.symbol)
        self.quotes[symbol] = quote
        for buys, levels in ((True, quote.bids), (False, quote.asks)):
            side = self.side(symbol, buys)
            if before is not None and side.levels == levels:
                continue
            side.levels, now = levels, dict(levels)
            side.taken = {price: min(n, now[price]) for price, n in side.taken.items() if price in now}
            sign = -1 if buys else 1
            for o in self.line(symbol, buys):
                if not levels or o.price * sign <= levels[-1][0] * sign:  # deeper ones are not seen
                    o.ahead = min(o.ahead, side.left(o.price))

    def meet(self, symbol: str, buys: bool) -> None:
        """Displayed size of the other side fills those whose price it reaches, at their own price."""
        other, sign = self.side(symbol, not buys), 1 if buys else -1
        for o in self.line(symbol, buys):
            got = 0
            for price, _ in other.levels:
                size = min(o.leaves - got, other.left(price))
                if price * sign <= o.price * sign and size > 0:
                    self.use(symbol, not buys, price, size)
                    got += size
            if not got:
                return
            self.fill(o, o.price, got, "maker")

    def printed(self, tick: Print) -> None:
        """A print goes through the lines that it reaches; together they get no more than was printed."""
        left = tick.size
        for buys in (True, False):
            used: dict[int, int] = {}  # by price that the print came to: displayed size it used there
            for o in self.line(tick.symbol, buys):
                through = o.price > tick.price if buys else o.price < tick.price
                at_it = o.price == tick.price and tick.side != ("buy" if buys else "sell")
                if not (through or at_it) or (not left and o.price not in used):
                    continue
                passed = used.setdefault(o.price, 0)
                if through:
                    o.ahead = 0
                else:
                    step = min(max(o.ahead - passed, 0), left)
                    used[o.price] = passed + step
                    left -= step
                    o.ahead = max(o.ahead - used[o.price], 0)
                size = min(o.leaves, left)
                if size:
                    left -= size
                    self.fill(o, o.price, size, "maker")

    # auctions ---------------------------------------------------------------------------------------
    def reference(self, symbol: str, only: str) -> int:
        """What an auction's price is near to: before the day's first trade, where told, the close before."""
        before = self.close.get(symbol, 0)
        opens = self.rules[symbol].auction_ties == "nearest" and only == "opg"
        return before if opens and before else self.base(symbol)

    def cross(self, symbol: str, mine: list[Resting], only: str) -> None:
        """`only`: the orders that came for this auction and nothing else, opg or cls."""
        entries: dict[bool, list[Any]] = {}
        for buys in (True, False):
            sign, shown = (-1 if buys else 1), self.side(symbol, buys)
            depth = [(price, shown.left(price), None) for price, _ in shown.levels if shown.left(price)]
            players = [(o.price, o.leaves, o) for o in mine if o.buys == buys]
            entries[buys] = sorted([*depth, *players], key=lambda e: e[0] * sign)  # stable: depth, then time
        rules, near = self.rules[symbol], self.reference(symbol, only)
        price, volume = price_of(rules.auction_ties, rules.tick, near, entries[True], entries[False])
        served: dict[bool, list[Any]] = {}
        for buys, line in entries.items():
            left, served[buys] = volume, []
            for level, size, o in line:
                if left:
                    served[buys].append([min(size, left), level, o])
                    left -= served[buys][-1][0]
        used = [(buys, level, size) for buys in served for size, level, o in served[buys] if o is None]
        bids, asks = served[True], served[False]
        while bids and asks:
            size = min(bids[0][0], asks[0][0])
            for side in (bids, asks):
                if side[0][2] is not None:
                    self.fill(side[0][2], price, size)
            for side in (bids, asks):
                side[0][0] -= size
                if not side[0][0]:
                    side.pop(0)
        for buys, level, size in used:
            self.use(symbol, buys, level, size)
