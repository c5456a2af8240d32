"""Margin portfolios in the naive engine: what they are worth, what their orders hold, how they are filled.

Written from what trading/engine/README.md and the rulebooks say. Nothing is kept that can be counted anew:
equity, margin and what orders hold are added up each time somebody asks. See `naive.py`.
"""

from __future__ import annotations

from market.rulebook.rules import PPB, InstrumentRules
from market.ticks import Reference
from trading.engine import commands as c
from trading.proof.naive import Resting, half_up
from trading.proof.naive_commands import Naive
from trading.proof.naive_refusals import Refuse

EXPONENT = {"CNY": 2, "USD": 2}


def up(amount: int, ppb: int) -> int:
    return -(-amount * ppb // PPB)


class Credit(Naive):
    def __init__(self) -> None:
        super().__init__()
        self.terms: dict[int, c.MarginTerms] = {}
        self.home: dict[int, str] = {}
        self.foreign: dict[tuple[int, str], int] = {}  # cash in other currencies
        self.worth_then: dict[tuple[int, str], int] = {}  # of contracts: when opened or last settled
        self.settled_on: dict[tuple[int, str], int] = {}  # the market day that a contract's position is in
        self.references: dict[str, Reference] = {}
        self.called: dict[int, int] = {}  # deadline
        self.paid_until: dict[int, int] = {}  # market day
        self.moved = ""
        self.clocked = False
        self.forced = 0

    # what things are worth --------------------------------------------------------------------------
    def mark(self, symbol: str) -> int:
        if self.last.get(symbol):
            return self.last[symbol]
        best = [price for bids in (True, False) if (price := self.best(symbol, bids))]
        return sum(best) // len(best) if best else self.base(symbol)

    def asked_of(self, symbol: str) -> int:
        """The price that margin is asked of."""
        told = self.references.get(symbol)
        if not self.rules[symbol].is_contract or told is None:
            return self.mark(symbol)
        return told.settlement or told.previous_close or self.mark(symbol)

    def rate(self, currency: str, home: str) -> int:
        if currency == home:
            return PPB
        for symbol, rules in self.rules.items():
            if rules.kind == "fx" and symbol == currency + home:
                at = self.mark(symbol) * PPB * 10 ** EXPONENT[home]
                return at // 10 ** (EXPONENT[currency] + rules.price_exponent)
        return 0

    def share(self, who: int, symbol: str, long: bool, *, kept: bool) -> int:
        rules = self.rules[symbol]
        opened = (rules.margin_long_ppb if long else rules.margin_short_ppb) or PPB
        if not rules.is_contract:
            opened = max(opened, PPB // self.terms[who].leverage)
        keep = rules.maintenance_long_ppb if long else rules.maintenance_short_ppb
        return min(keep or opened, opened) if kept else opened

    def margin_of(self, who: int, symbol: str, *, kept: bool) -> int:
        rules, qty = self.rules[symbol], self.held[who, symbol]
        worth = self.worth(symbol, self.asked_of(symbol), qty)[0]
        at_home = abs(worth * self.rate(rules.currency, self.home[who]) // PPB)
        return up(at_home, self.share(who, symbol, qty > 0, kept=kept))

    def positions(self, who: int) -> list[str]:
        return [symbol for (owner, symbol), qty in sorted(self.held.items()) if owner == who and qty]

    def equity(self, who: int) -> int:
        home, total = self.home[who], self.cash[who]
        for (owner, currency), amount in self.foreign.items():
            if owner == who:
                total += amount * self.rate(currency, home) // PPB
        for symbol in self.positions(who):
            worth = self.worth(symbol, self.mark(symbol), self.held[who, symbol])[0]
            worth -= self.worth_then.get((who, symbol), 0)
            total += worth * self.rate(self.rules[symbol].currency, home) // PPB
        return total

    def initial(self, who: int) -> int:
        return sum(self.margin_of(who, symbol, kept=False) for symbol in self.positions(who))

    def maintenance(self, who: int) -> int:
        return sum(self.margin_of(who, symbol, kept=True) for symbol in self.positions(who))

    # what orders hold -------------------------------------------------------------------------------
    def asks(self, o: Resting, worth: int, qty: int, *, dearest: bool = True, role: str = "") -> int:
        """The fees of an order's fills worth so much. `dearest`: of the role that pays more."""
        rules = self.rules[o.symbol]
        sides, effects = ("both", "buy" if o.buys else "sell"), ("", o.effect)
        mine = [line for line in rules.fees if line.side in sides and line.effect in effects]
        if dearest:
            mine = [line for line in mine if line.role != "maker"]  # takers pay more, or the same
        elif role:
            mine = [line for line in mine if line.role in ("", role)]
            return sum((worth * line.rate_ppb + qty * line.unit_ppb) // PPB for line in mine)
        left = asked = 0
        for line in mine if worth else ():
            amount = max(half_up(worth * line.rate_ppb + qty * line.unit_ppb, PPB), line.least)
            if not o.buys and not dearest:  # a sell never costs more than it brings
                amount = min(amount, worth - left)
            left += amount
            asked += amount
        return asked

    def reserve(self, o: Resting) -> tuple[int, int]:
        if not o.effect:
            return super().reserve(o)
        if o.status not in ("new", "partially_filled", "suspended"):
            return 0, 0
        mark, margin_at, rate = o.basis
        worst, at_mark = self.worth(o.symbol, o.price, o.leaves), self.worth(o.symbol, mark, o.leaves)[1]
        worse = max(worst[1] - at_mark if o.buys else at_mark - worst[0], 0)
        margin = 0
        if o.effect == "open":
            share = self.share(o.who, o.symbol, o.buys, kept=False)
            margin = up(self.worth(o.symbol, margin_at, o.leaves)[1], share)
        fees = self.asks(o, o.cash + max(worst[1], at_mark), o.qty) - self.asks(o, o.cash, o.filled)
        return up(margin + worse + fees, rate), 0 if o.effect == "open" else o.leaves

    def reserved_cash(self, who: int) -> int:
        return sum(self.reserve(o)[0] for o in self.orders.values() if o.who == who)

    def reserved_qty(self, who: int, symbol: str, effects: tuple[str, ...] = ()) -> int:
        mine = [o for o in self.orders.values() if o.who == who and o.symbol == symbol]
        return sum(self.reserve(o)[1] for o in mine if not effects or o.effect in effects)

    def parts_today(self, symbol: str) -> bool:
        rules = self.rules[symbol]
        told = rules.close_today_apart or any(line.effect == "close_today" for line in rules.fees)
        return rules.is_contract and told

    def closable(self, who: int, symbol: str, effect: str) -> int:
        held, today = self.held.get((who, symbol), 0), self.bought.get((who, symbol), 0)
        if self.parts_today(symbol):
            if effect == "close_today":
                return today - self.reserved_qty(who, symbol, ("close_today",))
            return abs(held) - today - self.reserved_qty(who, symbol, ("close",))
        locked = 0 if self.rules[symbol].is_contract or held < 0 else today
        return abs(held) - locked - self.reserved_qty(who, symbol)

    def sellable(self, who: int, symbol: str, effect: str = "") -> int:
        return self.closable(who, symbol, effect) if who in self.terms else super().sellable(who, symbol)

    # orders -----------------------------------------------------------------------------------------
    def effect_of(self, who: int, symbol: str, intent: str, buys: bool) -> str:
        word = intent.partition("_to_")[2]
        if word:
            return "close" if word == "close_today" and not self.parts_today(symbol) else word
        held = self.held.get((who, symbol), 0)
        if held <= 0 if not buys else held >= 0:
            return "open"
        if self.parts_today(symbol) and not self.closable(who, symbol, "close"):
            return "close_today"
        return "close"

    def basis(self, who: int, symbol: str) -> tuple[int, int, int]:
        rate = self.rate(self.rules[symbol].currency, self.home[who])
        return self.mark(symbol), self.asked_of(symbol), rate

    def draft(self, o: Resting, asked: c.Terms) -> int | None:
        if o.who in self.terms:
            o.intent = asked.position_intent
            o.effect = self.effect_of(o.who, o.symbol, o.intent, o.buys)
            o.basis = self.basis(o.who, o.symbol)
        return super().draft(o, asked)

    def refuse_instrument(self, o: Resting) -> None:
        rules: InstrumentRules = self.rules[o.symbol]
        if o.who not in self.terms and (rules.is_contract or rules.currency != "CNY"):
            raise Refuse("SHORT_NOT_ALLOWED" if rules.is_contract else "UNSUPPORTED")

    def refuse_effect(self, o: Resting) -> None:
        if not o.effect:
            return
        held = self.held.get((o.who, o.symbol), 0)
        if o.intent and o.intent.partition("_to_")[0] != ("buy" if o.buys else "sell"):
            raise Refuse("POSITION_INTENT")
        if o.effect != "open":
            if held >= 0 if o.buys else held <= 0:
                raise Refuse("POSITION_INTENT")
            return
        if held < 0 if o.buys else held > 0:
            raise Refuse("POSITION_INTENT")
        rules = self.rules[o.symbol]
        if not o.buys and not rules.is_contract and not (self.terms[o.who].shorts and rules.short_allowed):
            raise Refuse("SHORT_NOT_ALLOWED")
        for other in self.orders.values():
            same = other.who == o.who and other.symbol == o.symbol
            if same and other.effect == "open" and other.buys != o.buys:
                raise Refuse("POSITION_INTENT")

    def may_be_odd(self, o: Resting, was: Resting | None) -> bool:
        if not o.effect:
            return super().may_be_odd(o, was)
        if was is not None and was.qty == o.qty:
            return True
        rules = self.rules[o.symbol]
        own = self.reserve(was)[1] if was else 0
        can, wanted = self.closable(o.who, o.symbol, o.effect) + own, o.leaves
        if o.buys or not rules.odd_lot_sell or not 0 < wanted <= can:
            return False
        return wanted % rules.lot == can % rules.lot if rules.lot > 1 else wanted == can

    def refuse_money(self, o: Resting, was: Resting | None) -> None:
        if not o.effect:
            super().refuse_money(o, was)
            return
        cash, qty = self.reserve(was) if was else (0, 0)
        if o.effect != "open" and o.leaves > self.closable(o.who, o.symbol, o.effect) + qty:
            raise Refuse("INSUFFICIENT_SELLABLE")
        o.basis = self.basis(o.who, o.symbol)
        if not o.basis[0] or not o.basis[2]:
            raise Refuse("NO_FRESH_PRICE")
        status, o.status = o.status, "new"
        needs = self.reserve(o)[0] - cash
        o.status = status
        free = self.equity(o.who) - self.reserved_cash(o.who)
        free -= self.initial(o.who) if o.effect == "open" else 0
        if needs > max(free, 0):
            raise Refuse("INSUFFICIENT_CASH")

    def on_close_position(self, asked: c.ClosePosition) -> None:
        who, symbol = asked.portfolio, asked.symbol
        held = self.held.get((who, symbol), 0)
        if who not in self.terms or not held:
            super().on_close_position(asked)
            return
        buys = held < 0
        can = self.closable(who, symbol, self.effect_of(who, symbol, "", buys))
        qty = can
        if asked.share_ppb is not None and asked.share_ppb < PPB:
            lot = self.rules[symbol].lot
            qty = abs(held) * asked.share_ppb // PPB // lot * lot
        if qty <= 0:
            raise Refuse("BAD_QTY_OR_LOT" if can > 0 else "INSUFFICIENT_SELLABLE")
        ids = (who, asked.order_id, asked.client_order_id, symbol)
        self.on_new_order(
            c.NewOrder(*ids, "buy" if buys else "sell", "market", "day", qty, None, asked.deadline_ns)
        )

    # fills ------------------------------------------------------------------------------------------
    def pay(self, who: int, currency: str, amount: int) -> None:
        if currency == self.home.get(who, currency):
            self.cash[who] += amount
        else:
            self.foreign[who, currency] = self.foreign.get((who, currency), 0) + amount

    def fill(self, o: Resting, price: int, qty: int, role: str = "taker") -> None:
        if not o.effect:
            super().fill(o, price, qty, role)
            return
        rules, key = self.rules[o.symbol], (o.who, o.symbol)
        cash, held = self.worth(o.symbol, price, qty)[0], self.held.get(key, 0)
        if any(line.role for line in rules.fees):
            fee = self.asks(o, cash, qty, dearest=False, role=role)
        else:
            before = self.asks(o, o.cash, o.filled, dearest=False)
            fee = self.asks(o, o.cash + cash, o.filled + qty, dearest=False) - before
        o.filled, o.cash, o.fees = o.filled + qty, o.cash + cash, o.fees + fee
        brings = -cash if o.buys else cash
        if rules.is_contract:
            if not held:
                self.settled_on[key] = self.day
            then = self.worth_then.get(key, 0)
            gone = then * qty // abs(held) if o.effect != "open" else -brings
            self.worth_then[key] = then - gone if o.effect != "open" else then + gone
            brings = brings - gone if o.effect != "open" else 0
        self.pay(o.who, rules.currency, brings - fee)
        self.held[key] = held + (qty if o.buys else -qty)
        today = self.bought.get(key, 0)
        if o.effect == "open" and (rules.is_contract or (o.buys and rules.lock_days)):
            self.bought[key] = today + qty
        elif rules.is_contract and o.effect == "close_today":
            self.bought[key] = today - qty
        elif rules.is_contract:
            self.bought[key] = min(today, abs(self.held[key]))
        self.fills.append((o.id, price, qty, cash, fee))
        self.touch(o)
        if o.leaves:
            o.status = "partially_filled"
        else:
            self.finish(o, "filled", "")
