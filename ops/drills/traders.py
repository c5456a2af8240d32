"""People who trade in a real market of the drill: they look at its quotes, and do everything by chance."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from market.rulebook import InstrumentRules
from market.ticks import Quote
from simgame.kernel.clock import NS_PER_S
from trading.engine import commands as c

NAMES_KEPT = 400  # orders that somebody may still cancel or change
LOTS_MAX = 12
RARELY = 0.1
ON_MARGIN = c.MarginTerms(leverage=4, shorts=True, interest_ppb=60_000_000)


class Traders:
    """`people`: portfolio → whether it is on margin. `made`: the world's place in the ids of orders."""

    def __init__(self, seed: str, people: Mapping[int, bool], made: int):
        self.chance = random.Random(f"{seed}/traders")
        self.people, self.made = dict(people), made
        self.names: list[tuple[str, int, str]] = []  # id, whose, symbol
        self.lately: dict[str, int] = {}  # prices that somebody thought of, by symbol
        self.lots: dict[str, int] = {}
        self.n = self.asked = 0

    def opening(self, currency: str, cash: int, rules: list[InstrumentRules]) -> Iterator[Any]:
        """Their books, and something to sell in each of the cash portfolios."""
        for who, on_margin in self.people.items():
            yield c.OpenPortfolio(who, currency, cash, f"open{who}", ON_MARGIN if on_margin else None)
            for each in rules if not on_margin else ():
                if not each.is_contract:
                    yield c.Adjust(who, each.symbol, each.lot * 500, "to begin with", f"give{each.symbol}")

    def act(
        self, at_ns: int, quotes: Mapping[str, Quote], rules: Mapping[str, InstrumentRules]
    ) -> Any | None:
        """One thing that one of them wants now; None when he changes his mind."""
        quoted = [symbol for symbol in rules if symbol in quotes]
        if not quoted:
            return None
        self.asked += 1
        symbol = self.chance.choice(quoted)
        contract = rules[symbol].is_contract
        who = self.chance.choice([one for one, on_margin in self.people.items() if on_margin or not contract])
        x = self.chance.random()
        if x < 0.6 or not self.names:
            return self._order(who, rules[symbol], quotes[symbol], at_ns)
        if x < 0.8:
            return self._change()
        if x < 0.9:
            name, mine, _ = self._pick()
            return c.CancelOrder(mine, name, self._key(), 0)
        if x < 0.92:
            return c.CancelAll(who, self._key(), 0, symbol)
        share = None if self.chance.random() < 0.5 else 250_000_000
        name = self._name(who, symbol)
        return c.ClosePosition(who, name, name, symbol, 0, share_ppb=share)

    # --- orders ---------------------------------------------------------------------------------------

    def _order(self, who: int, rules: InstrumentRules, quote: Quote, at_ns: int) -> Any | None:
        side: c.Side = "buy" if self.chance.random() < 0.5 else "sell"
        price = self._price(rules, quote, side)
        if not price:
            return None
        qty = max(rules.lot * self.chance.randint(1, LOTS_MAX), rules.least_qty)
        pick: Callable[..., Any] = self.chance.choices(
            [self._plain, self._market, self._stop, self._trailing, self._timed, self._auction, self._maker,
             self._amount, self._pair],
            [40, 14, 10, 6, 6, 8, 6, 5, 5],
        )[0]  # fmt: skip
        return pick(who, rules, side, qty, price, at_ns)

    def _plain(self, who: int, rules: InstrumentRules, side: c.Side, qty: int, price: int, _: int) -> Any:
        tif: c.TimeInForce = self.chance.choice(("day", "day", "gtc", "ioc", "fok"))
        return self._new(who, rules, side, "limit", tif, qty, price)

    def _market(self, who: int, rules: InstrumentRules, side: c.Side, qty: int, *_: int) -> Any:
        return self._new(who, rules, side, "market", self.chance.choice(("day", "ioc", "fok")), qty, None)

    def _stop(self, who: int, rules: InstrumentRules, side: c.Side, qty: int, price: int, _: int) -> Any:
        away = rules.tick * self.chance.randint(2, 20)
        stop = price + away if side == "buy" else max(price - away, rules.tick)
        fired: c.FiredBy = "quote" if self.chance.random() < 0.3 else "print"
        limit = stop if self.chance.random() < 0.5 else None
        kind: c.OrderType = "stop_limit" if limit else "stop"
        terms = c.Terms(stop_price=stop, fired_by=fired)
        return self._new(who, rules, side, kind, "gtc", qty, limit, terms)

    def _trailing(self, who: int, rules: InstrumentRules, side: c.Side, qty: int, *_: int) -> Any:
        by_price = c.Terms(trail_price=rules.tick * self.chance.randint(2, 15))
        terms = by_price if self.chance.random() < 0.5 else c.Terms(trail_ppb=3_000_000)
        return self._new(who, rules, side, "trailing_stop", "day", qty, None, terms)

    def _timed(self, who: int, rules: InstrumentRules, side: c.Side, qty: int, price: int, at_ns: int) -> Any:
        terms = c.Terms(expire_ns=at_ns + self.chance.randint(1, 900) * NS_PER_S)
        return self._new(who, rules, side, "limit", "gtd", qty, price, terms)

    def _auction(self, who: int, rules: InstrumentRules, side: c.Side, qty: int, price: int, _: int) -> Any:
        tif: c.TimeInForce = self.chance.choice(("opg", "cls"))
        at_market = self.chance.random() < 0.3
        kind: c.OrderType = "market" if at_market else "limit"
        return self._new(who, rules, side, kind, tif, qty, None if at_market else price, c.Terms())

    def _maker(self, who: int, rules: InstrumentRules, side: c.Side, qty: int, price: int, _: int) -> Any:
        return self._new(who, rules, side, "limit", "gtc", qty, price, c.Terms(post_only=True))

    def _amount(self, who: int, rules: InstrumentRules, side: c.Side, qty: int, price: int, _: int) -> Any:
        unit = 10 ** (rules.price_exponent + rules.qty_exponent)
        amount = max(qty * price * rules.multiplier * 10**rules.cash_exponent // unit, 1)
        return self._new(who, rules, side, "market", "ioc", 0, None, c.Terms(notional=amount))

    def _pair(self, who: int, rules: InstrumentRules, _: c.Side, qty: int, price: int, __: int) -> Any:
        """What is held, sold at a profit or at a loss."""
        away = rules.tick * self.chance.randint(3, 15)
        profit_id, loss_id = self._name(who, rules.symbol), self._name(who, rules.symbol)
        terms = c.Terms(
            order_class="oco",
            take_profit=c.Leg(profit_id, f"leg-{profit_id}", limit_price=price + away),
            stop_loss=c.Leg(loss_id, f"leg-{loss_id}", stop_price=max(price - away, rules.tick)),
        )
        return self._new(who, rules, "sell", "limit", "gtc", qty, price + away, terms)

    def _new(
        self,
        who: int,
        rules: InstrumentRules,
        side: c.Side,
        kind: c.OrderType,
        tif: c.TimeInForce,
        qty: int,
        limit: int | None,
        terms: c.Terms | None = None,
    ) -> c.NewOrder:
        name = self._name(who, rules.symbol)
        said = (who, name, name, rules.symbol, side, kind, tif, qty, limit, 0)
        return c.NewOrderWithTerms(*said, terms) if terms is not None else c.NewOrder(*said)

    # --- changes --------------------------------------------------------------------------------------

    def _change(self) -> c.ReplaceOrder | c.CancelOrder:
        name, who, symbol = self._pick()
        x = self.chance.random()
        if x < 0.3:
            return c.CancelOrder(who, name, self._key(), 0)
        price = self.lately.get(symbol) if x < 0.8 else None
        qty = self.chance.randint(1, LOTS_MAX) * self.lots.get(symbol, 1) if x > 0.6 else None
        return c.ReplaceOrder(who, name, self._key(), 0, qty, price)

    def _price(self, rules: InstrumentRules, quote: Quote, side: c.Side) -> int:
        """Around the touch: mostly where it rests or just meets, rarely far off."""
        best = (quote.bids or quote.asks) if side == "buy" else (quote.asks or quote.bids)
        if not best:
            return 0
        ticks = round(self.chance.triangular(-8, 8, 0))
        if self.chance.random() < RARELY:
            ticks *= 20
        price = max(best[0][0] + (ticks if side == "buy" else -ticks) * rules.tick, rules.tick)
        self.lately[rules.symbol], self.lots[rules.symbol] = price, rules.lot
        return price

    def _pick(self) -> tuple[str, int, str]:
        back = self.chance.random() * self.chance.random() * len(self.names)  # rather a late one
        return self.names[-1 - int(back)]

    def _name(self, who: int, symbol: str) -> str:
        self.n += 1
        name = str(uuid.UUID(int=self.made | self.n))
        self.names.append((name, who, symbol))
        if len(self.names) > NAMES_KEPT:
            del self.names[: NAMES_KEPT // 4]
        return name

    def _key(self) -> str:
        return f"k{self.asked}"
