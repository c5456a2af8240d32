"""A crowd that does everything an exchange knows, by chance: one seed, one sequence of commands.

Two instruments (one like an A-share: lots, T+1, band, cage, least fees, stamp duty; one like a coin: coarse
ticks, fractional cents, sold the same day), five people, two of them poor. The crowd looks at nothing but
its own list of order names, so that any part of a sequence is a sequence too.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any, get_args

import msgspec

from market.rulebook.rules import FeeRule, InstrumentRules, Ties
from market.ticks import PhaseTick, Print, Quote, Reference
from trading.engine import commands as c

NS = 1_000_000_000
START = 1_000 * NS
DAY = 20_261_102
MIDDLE = 1_000
BAND = (900, 1_100)
PEOPLE = (1, 2, 3, 4, 5)
SHARE = InstrumentRules(
    symbol="SHARE", asset="SHARE", currency="CNY", cash_exponent=2, price_exponent=2, qty_exponent=0,
    multiplier=1, tick=1, lot=100, least_qty=100, odd_lot_sell=True, qty_max=100_000, band_ppb=100_000_000,
    cage_ppb=20_000_000, cage_ticks=10, lock_days=1, rows={},
    fees=(FeeRule("commission", "both", 250_000, 500, ""), FeeRule("stamp", "sell", 500_000, 0, "")),
)  # fmt: skip
COIN = msgspec.structs.replace(
    SHARE, symbol="COIN", asset="COIN", qty_exponent=2, tick=5, lot=10, least_qty=10, cage_ppb=0, lock_days=0,
    fees=(
        FeeRule("commission", "both", 800_000, 0, "", role="maker"),
        FeeRule("commission", "both", 1_000_000, 0, "", role="taker"),
    ),
)  # fmt: skip
RULES = {"SHARE": SHARE, "COIN": COIN}
SYMBOLS = tuple(RULES)
PHASES = (
    "pre_open", "auction", "auction_locked", "continuous", "continuous", "continuous", "break", "closed",
)  # fmt: skip
TIES: tuple[Ties, ...] = get_args(Ties)
Told = tuple[Any, int, int]  # command, seq, engine time


def opening(
    people: tuple[int, ...] = PEOPLE, at: int = START, rules: Mapping[str, InstrumentRules] = RULES
) -> list[Any]:
    """What every sequence begins with: a market that is open, and what people have."""
    said: list[Any] = [c.SetRules(each) for each in rules.values()]
    said.append(PhaseTick(DAY, "continuous", "", 0, at, at))
    for symbol in SYMBOLS:
        said.append(Reference(symbol, DAY, MIDDLE, *BAND, at, at, "sim"))
        said.append(Quote(symbol, ((995, 300),), ((1_000, 300), (1_005, 500)), at, at, "sim"))
    for who in people:
        poor = who in people[3:]
        cash = 3_000_00 if poor else 10_000_000_00
        said.append(c.OpenPortfolio(who, "CNY", cash, f"open{who}"))
        said += [c.Adjust(who, symbol, 450 if poor else 1_000_000, "", f"give{symbol}") for symbol in SYMBOLS]
    return said


def _date(day: int) -> date:
    return date(day // 10_000, day // 100 % 100, day % 100)


class Crowd:
    """Commands without end. `names` are the orders it has asked for, newest last."""

    def __init__(
        self,
        seed: int | str,
        name: Callable[[int], str] = "o{:07}".format,
        people: tuple[int, ...] = PEOPLE,
    ):
        """`name`: the id of the n-th order. A later one sorts later. `people`: their portfolios, five."""
        self.name = name
        self.people = people
        self.chance = random.Random(seed)
        ties = random.Random(f"{seed}/ties")
        self.rules = {
            symbol: msgspec.structs.replace(rules, auction_ties=ties.choice(TIES))
            for symbol, rules in RULES.items()
        }
        self.at, self.day, self.seq = START, DAY, 0
        self.phase, self.paused = "continuous", False
        self.names: list[tuple[str, int, str]] = []  # id, whose, symbol
        self.halted: list[str] = []
        self.frozen: list[int] = []
        self.n = self.calmed = 0

    def commands(self, n: int) -> Iterator[Told]:
        for said in self.opening():
            self.seq += 1
            yield said, self.seq, self.at
        while self.seq < n:
            self.seq += 1
            self.at += self.chance.randrange(NS // 2) // 1_000 * 1_000  # the books keep microseconds
            yield self._next(), self.seq, self.at

    def opening(self) -> list[Any]:
        return opening(self.people, rules=self.rules)

    def calm(self) -> Iterator[Any]:
        """Whatever was halted or frozen goes on: for who does not know what became of it."""
        self.calmed += 1
        self.halted, self.frozen = [], []
        for symbol in SYMBOLS:
            yield c.Halt(symbol, False, "", f"calm{self.calmed}{symbol}")
        for who in self.people:
            yield c.Freeze(who, False, "", f"calm{self.calmed}")

    def _next(self) -> Any:
        x = self.chance.random()
        if x < 0.34:
            return self._new()
        if x < 0.42:
            return self._with_terms()
        if x < 0.58:
            return self._quote()
        if x < 0.72:
            return self._print()
        if x < 0.84:
            return self._cancel()
        if x < 0.92:
            return self._replace()
        if x < 0.96:
            return self._sweep()
        return self._rare()

    def _name(self, who: int, symbol: str) -> str:
        self.n += 1
        name = self.name(self.n)
        self.names.append((name, who, symbol))
        if len(self.names) > 60:
            del self.names[:20]
        return name

    def _key(self) -> str:
        return f"k{self.seq}"

    def _who(self) -> int:
        return self.people[int(self.chance.random() * 5)]

    def _symbol(self) -> str:
        return SYMBOLS[self.chance.random() < 0.5]

    def _price(self, symbol: str) -> int:
        far = int(self.chance.triangular(-25, 26, 0))
        if self.chance.random() < 0.01:
            far *= 7  # out of the cage, perhaps out of the band
        price = MIDDLE + far
        return price // 5 * 5 if symbol == "COIN" and self.chance.random() < 0.97 else price

    def _qty(self, symbol: str) -> int:
        lot = self.rules[symbol].lot
        odd = 50 if self.chance.random() < 0.02 else 0
        return lot * (1 + int(self.chance.random() * 5)) + odd

    def _new(self) -> c.NewOrder:
        who, symbol, x = self._who(), self._symbol(), self.chance.random()
        market = x < 0.12
        tif = "day" if x < 0.4 else "gtc" if x < 0.85 else "ioc" if x < 0.93 else "fok"
        side, kind = self._side(), "market" if market else "limit"
        late = self.at - 1_000 if self.chance.random() < 0.005 else 0
        price = None if market else self._price(symbol)
        name = self._name(who, symbol)
        return c.NewOrder(who, name, name, symbol, side, kind, tif, self._qty(symbol), price, late)

    def _side(self) -> c.Side:
        return "buy" if self.chance.random() < 0.5 else "sell"

    def _with_terms(self) -> Any:
        x = self.chance.random()
        if x < 0.35:
            return self._with_legs()
        who, symbol, side = self._who(), self._symbol(), self._side()
        tif, qty, limit, kind = "gtc", self._qty(symbol), self._price(symbol), "limit"
        fired: c.FiredBy = "quote" if x < 0.45 else "print"
        if x < 0.55:
            gap = int(self.chance.random() * 4) * 5
            stop = MIDDLE + gap if side == "buy" else MIDDLE - gap
            terms = c.Terms(stop_price=stop, fired_by=fired)
            kind = "stop_limit" if self.chance.random() < 0.5 else "stop"
            limit = limit if kind == "stop_limit" else None
        elif x < 0.68:
            kind, limit = "trailing_stop", None
            terms = c.Terms(trail_price=5) if x < 0.62 else c.Terms(trail_ppb=8_000_000)
        elif x < 0.76:
            terms = c.Terms(post_only=True)
        elif x < 0.84:
            terms, tif = c.Terms(expire_ns=self.at + int(self.chance.random() * 20 * NS)), "gtd"
        elif x < 0.92:
            terms, qty = c.Terms(notional=1 + int(self.chance.random() * 900_000)), 0
            limit, kind = (None, "market") if x < 0.88 else (limit, "limit")
        else:
            terms, tif = c.Terms(), "opg" if x < 0.96 else "cls"
            limit, kind = (None, "market") if self.chance.random() < 0.4 else (limit, "limit")
        name = self._name(who, symbol)
        return c.NewOrderWithTerms(who, name, name, symbol, side, kind, tif, qty, limit, 0, terms)

    def _with_legs(self) -> c.NewOrderWithTerms:
        who, x = self._who(), self.chance.random()
        symbol = "COIN" if self.chance.random() < 0.97 else "SHARE"
        limit = None if x < 0.2 else self._price(symbol) // 5 * 5
        middle, gap = limit or MIDDLE, 5 * (1 + int(self.chance.random() * 3))
        name = self._name(who, symbol)
        profit_id, loss_id = self._name(who, symbol), self._name(who, symbol)
        profit = c.Leg(profit_id, f"leg-{profit_id}", limit_price=middle + gap)
        under = middle - gap - 5 if self.chance.random() < 0.5 else None
        loss = c.Leg(loss_id, f"leg-{loss_id}", limit_price=under, stop_price=middle - gap)
        order_class: c.OrderClass = "bracket" if x < 0.5 else "oco" if x < 0.75 else "oto"
        if order_class == "oco":
            limit = middle
        wants_profit = order_class == "bracket" or (order_class == "oto" and x < 0.87)
        terms = c.Terms(
            order_class=order_class,
            take_profit=profit if wants_profit else None,
            stop_loss=loss if order_class != "oto" or not wants_profit else None,
        )
        side: c.Side = "sell" if order_class == "oco" else "buy"
        kind = "market" if limit is None else "limit"
        qty = self._qty(symbol)
        return c.NewOrderWithTerms(who, name, name, symbol, side, kind, "gtc", qty, limit, 0, terms)

    def _levels(self, symbol: str, best: int, sign: int) -> tuple[tuple[int, int], ...]:
        levels, price, step = [], best, 5 if symbol == "COIN" else 1
        for _ in range(int(self.chance.random() * 4)):
            levels.append((price, 10 * (1 + int(self.chance.random() * 40))))
            price += sign * step * (1 + int(self.chance.random() * 3))
        return tuple(levels)

    def _quote(self) -> Quote:
        symbol = self._symbol()
        bid = MIDDLE + 5 * int(self.chance.triangular(-4, 4, 0))
        bids, asks = self._levels(symbol, bid, -1), self._levels(symbol, bid + 5, 1)
        return Quote(symbol, bids, asks, self.at, self.at, "sim", seq=self.seq)

    def _print(self) -> Print:
        symbol = self._symbol()
        x = self.chance.random()
        side = "buy" if x < 0.4 else "sell" if x < 0.8 else ""
        price = MIDDLE + int(self.chance.triangular(-25, 25, 0))
        price = price // 5 * 5 if symbol == "COIN" else price
        size = 10 * (1 + int(self.chance.random() * 30))
        return Print(symbol, price, size, side, self.at, self.at, "sim", seq=self.seq)

    def _pick(self) -> tuple[str, int, str]:
        if not self.names:
            return "o0", 1, "SHARE"
        back = self.chance.random() * self.chance.random() * len(self.names)  # rather a late one
        name, who, symbol = self.names[-1 - int(back)]
        return (name, self._who(), symbol) if self.chance.random() < 0.02 else (name, who, symbol)

    def _cancel(self) -> c.CancelOrder:
        name, who, _ = self._pick()
        return c.CancelOrder(who, name, self._key(), 0)

    def _replace(self) -> c.ReplaceOrder:
        (name, who, symbol), x = self._pick(), self.chance.random()
        qty = self._qty(symbol) if x < 0.6 else None
        price = self._price(symbol) if 0.4 < x < 0.9 else None
        tif: c.TimeInForce | None = None
        if x > 0.85:
            tif = "gtc" if x < 0.93 else "day"
        if self.chance.random() < 0.2:
            stop = MIDDLE + 5 * int(self.chance.triangular(-4, 4, 0))
            return c.ReplaceWithTerms(who, name, self._key(), 0, qty, price, tif, stop_price=stop)
        return c.ReplaceOrder(who, name, self._key(), 0, qty, price, tif)

    def _sweep(self) -> Any:
        x, who, symbol = self.chance.random(), self._who(), self._symbol()
        if x < 0.6:
            return c.CancelAll(who, self._key(), 0, "" if x < 0.4 else symbol)
        share = None if x < 0.7 else 500_000_000
        name = self._name(who, symbol)
        return c.ClosePosition(who, name, name, symbol, 0, share_ppb=share)

    def _rare(self) -> Any:
        x = self.chance.random()
        if x < 0.1:
            self.at += 20 * NS  # every quote is old now
            return self._quote()
        if x < 0.2 or self.halted or self.frozen:
            return self._disturbance()
        if x < 0.3:
            cash = [-5_000, -1, 1, 5_000]
            asset = "CNY" if self.chance.random() < 0.4 else self._symbol()
            return c.Adjust(self._who(), asset, cash[int(self.chance.random() * 4)], "", self._key())
        if self.phase != "continuous" and x < 0.65:
            self.phase, self.paused = "continuous", False
        elif x < 0.75:
            self.phase = PHASES[int(self.chance.random() * len(PHASES))]
            self.paused = self.chance.random() < 0.1
        elif x < 0.8:
            self.day = int(f"{_date(self.day) + timedelta(days=1):%Y%m%d}")
        return PhaseTick(self.day, self.phase, "", 0, self.at, self.at, paused=self.paused)

    def _disturbance(self) -> Any:
        if self.halted:
            return c.Halt(self.halted.pop(), False, "", self._key())
        if self.frozen:
            return c.Freeze(self.frozen.pop(), False, "", self._key())
        if self.chance.random() < 0.6:
            self.halted.append(self._symbol())
            return c.Halt(self.halted[-1], True, "", self._key())
        self.frozen.append(self._who())
        return c.Freeze(self.frozen[-1], True, "", self._key())
