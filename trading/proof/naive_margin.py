"""Margin portfolios in the naive engine: nights, settlement, margin calls, forced reduction."""

from __future__ import annotations

from datetime import date
from typing import Any

from market.rulebook.rules import PPB
from market.ticks import PhaseTick, Print, Reference
from trading.engine import commands as c
from trading.proof.naive import Resting, half_up
from trading.proof.naive_credit import Credit, up
from trading.proof.naive_orders import age
from trading.proof.naive_refusals import Refuse

NS = 1_000_000_000


class NaiveMargin(Credit):
    def apply(self, command: Any, seq: int, at_ns: int) -> str:
        self.moved, self.clocked, self.forced = "", False, 0
        code = super().apply(command, seq, at_ns)
        concerned = {who for who in self.terms if self.moved and self.held.get((who, self.moved))}
        for who in sorted(concerned | (set(self.called) if self.clocked else set())):
            self.look(who)
            self.follow_links()
        return code

    # the world --------------------------------------------------------------------------------------
    def fresh(self, symbol: str) -> bool:
        """A contract waits for the settlement price of the day before."""
        told = self.references.get(symbol)
        waits = self.rules[symbol].is_contract and (told is None or told.market_day != self.day)
        return super().fresh(symbol) and not waits

    def on_open_portfolio(self, command: c.OpenPortfolio) -> None:
        super().on_open_portfolio(command)
        if command.margin is not None:
            self.terms[command.portfolio] = command.margin
            self.home[command.portfolio] = command.currency
            self.paid_until[command.portfolio] = self.day

    def on_adjust(self, command: c.Adjust) -> None:
        who, asset = command.portfolio, command.asset
        if who in self.terms and asset in self.rules:
            if self.rules[asset].is_contract or self.held.get((who, asset), 0) < 0:
                raise Refuse("UNSUPPORTED")
        elif who in self.terms:
            free = self.equity(who) - self.initial(who) - self.reserved_cash(who)
            if max(free, 0) + command.amount < 0:
                raise Refuse("INSUFFICIENT_CASH")
            self.cash[who] += command.amount
            return
        super().on_adjust(command)
        if self.held.get((who, asset), 0) > 0 and who in self.terms:
            shorts = (o for o in self.orders.values() if (o.who, o.symbol) == (who, asset) and not o.buys)
            for o in sorted((o for o in shorts if o.effect == "open"), key=age, reverse=True):
                self.finish(o, "canceled", "CORRECTED")

    def on_print(self, tick: Print) -> None:
        self.moved = tick.symbol if tick.price != self.last.get(tick.symbol, 0) else ""
        held = any(self.held.get((who, tick.symbol)) for who in self.terms)
        self.moved = self.moved if held else ""
        super().on_print(tick)

    def on_phase(self, tick: PhaseTick) -> None:
        self.clocked = bool(self.called)
        if tick.market_day != self.day:
            contracts = {key: n for key, n in self.bought.items() if self.rules[key[1]].is_contract}
            for who in sorted(self.terms):
                self.accrue(who, tick.market_day)
            super().on_phase(tick)
            self.bought |= contracts
            return
        super().on_phase(tick)

    def accrue(self, who: int, today: int) -> None:
        """Interest on what is owed, and the fee for what is borrowed, for the nights since."""
        before, self.paid_until[who] = self.paid_until[who], today
        as_date = [date(day // 10_000, day // 100 % 100, day % 100) for day in (before, today)]
        days = min((as_date[1] - as_date[0]).days, 31)
        others = [(currency, n) for (owner, currency), n in self.foreign.items() if owner == who]
        for currency, amount in sorted([(self.home[who], self.cash[who]), *others]):
            owed = max(-amount, 0)
            self.pay(who, currency, -half_up(owed * self.terms[who].interest_ppb * days, PPB * 360))
        for symbol in self.positions(who):
            rules, qty = self.rules[symbol], self.held[who, symbol]
            if qty < 0 and not rules.is_contract:
                worth = self.worth(symbol, self.mark(symbol), -qty)[0]
                self.pay(who, rules.currency, -half_up(worth * rules.borrow_ppb * days, PPB * 360))

    def on_reference(self, tick: Reference) -> None:
        super().on_reference(tick)
        self.references[tick.symbol] = tick
        price, rules = tick.settlement or tick.previous_close, self.rules[tick.symbol]
        if not rules.is_contract or not price:
            return
        for who in sorted(self.terms):
            key = (who, tick.symbol)
            if self.held.get(key) and self.settled_on[key] < tick.market_day:
                worth = self.worth(tick.symbol, price, self.held[key])[0]
                self.pay(who, rules.currency, worth - self.worth_then[key])
                self.worth_then[key], self.settled_on[key], self.bought[key] = worth, tick.market_day, 0
        for o in sorted(self.orders.values(), key=age):
            if o.symbol == tick.symbol and o.effect == "close_today" and o.day < tick.market_day:
                self.finish(o, "canceled", "POSITION_INTENT")

    # margin calls -----------------------------------------------------------------------------------
    def look(self, who: int) -> None:
        equity, keep = self.equity(who), self.maintenance(who)
        if equity >= keep:
            self.called.pop(who, None)
            return
        self.called.setdefault(who, self.world_ns + self.terms[who].call_s * NS)
        if equity * 2 > keep and self.world_ns < self.called[who]:
            return
        for o in sorted((o for o in self.orders.values() if o.who == who), key=age):
            self.finish(o, "canceled", "MARGIN_CALL")
        for symbol in sorted(self.positions(who), key=lambda s: (-self.margin_of(who, s, kept=True), s)):
            if self.equity(who) >= self.initial(who):
                break
            if self.matches(symbol):
                self.reduce(who, symbol)
        if self.equity(who) >= self.maintenance(who):
            self.called.pop(who, None)

    def reduce(self, who: int, symbol: str) -> None:
        """The fewest lots whose margin is what is missing and what closing them costs."""
        size, lot = abs(self.held[who, symbol]), self.rules[symbol].lot
        missing, asked = self.initial(who) - self.equity(who), self.margin_of(who, symbol, kept=False)
        wanted = next(
            (n for n in range(lot, size, lot) if asked * n // size - self.costs(who, symbol, n) >= missing),
            size,
        )
        for effect in ("close", "close_today") if self.parts_today(symbol) else ("close",):
            qty = min(wanted, self.closable(who, symbol, effect))
            if qty < wanted and qty < size:
                qty -= qty % lot
            if qty > 0:
                wanted -= qty
                self.force(who, symbol, effect, qty)

    def costs(self, who: int, symbol: str, qty: int) -> int:
        buys = self.held[who, symbol] < 0
        best = self.best(symbol, not buys)
        if not best:
            return 0
        at_best, at_mark = self.worth(symbol, best, qty)[1], self.worth(symbol, self.mark(symbol), qty)[0]
        effects = ("close", "close_today") if self.parts_today(symbol) else ("close",)
        fees = max(self.asks(Resting(symbol=symbol, buys=buys, effect=e), at_best, qty) for e in effects)
        worse = max(at_best - at_mark if buys else at_mark - at_best, 0)
        return up(fees + worse, self.rate(self.rules[symbol].currency, self.home[who]))

    def force(self, who: int, symbol: str, effect: str, qty: int) -> None:
        self.forced += 1
        buys = self.held[who, symbol] < 0
        best = self.best(symbol, not buys)
        if not best:
            return
        o = Resting(
            id=f"forced {self.seq}.{self.forced}", who=who, symbol=symbol, buys=buys, kind="market",
            tif="ioc", qty=qty, limit=None, price=self.collar(symbol, best, buys), seq=self.seq, day=self.day,
            status="new", effect=effect, basis=self.basis(who, symbol),
        )  # fmt: skip
        self.orders[o.id] = o
        self.arrive(o)

    def told(self, who: int, asset: str) -> tuple[int, int]:
        if who in self.terms and asset not in self.rules and asset != self.home[who]:
            return self.foreign.get((who, asset), 0), 0
        return super().told(who, asset)
