"""The crowd on credit: three of the five have margin portfolios, and there is more to be traded.

A contract whose lots of today are closed apart, a share in another currency, the pair of the two, and
short sales of everything. Now and then the market jumps, so that margin calls are made, met, and not met.
"""

from __future__ import annotations

from typing import Any

import msgspec

from market.rulebook.rules import FeeRule
from market.ticks import PhaseTick, Print, Quote, Reference
from ops.drills.crowd import BAND, COIN, DAY, MIDDLE, SHARE, START, Crowd
from trading.engine import commands as c

LENT = {
    "margin_long_ppb": 333_333_333, "margin_short_ppb": 500_000_000, "maintenance_long_ppb": 250_000_000,
    "maintenance_short_ppb": 300_000_000, "short_allowed": True, "borrow_ppb": 36_000_000,
}  # fmt: skip
REBAR = msgspec.structs.replace(
    SHARE, symbol="REBAR", asset="REBAR", lot=1, least_qty=1, multiplier=100, odd_lot_sell=False, cage_ppb=0,
    lock_days=0, is_contract=True, close_today_apart=True, margin_long_ppb=100_000_000,
    margin_short_ppb=120_000_000, maintenance_long_ppb=80_000_000, maintenance_short_ppb=90_000_000,
    fees=(
        FeeRule("fee", "both", 100_000, 0, "", effect="open", unit_ppb=1_500_000_000),
        FeeRule("fee", "both", 100_000, 0, "", effect="close"),
        FeeRule("fee", "both", 300_000, 0, "", effect="close_today"),
    ),
)  # fmt: skip
ABROAD = msgspec.structs.replace(
    SHARE, symbol="ABROAD", asset="ABROAD", currency="USD", lot=1, least_qty=1, cage_ppb=0, lock_days=0,
    fees=(FeeRule("commission", "both", 1_000_000, 99, ""),), **LENT,
)  # fmt: skip
PAIR = msgspec.structs.replace(
    SHARE, symbol="USDCNY", asset="USDCNY", kind="fx", lot=10, least_qty=10, cage_ppb=0, lock_days=0, fees=(),
    **LENT,
)  # fmt: skip
RULES = {
    "SHARE": msgspec.structs.replace(SHARE, **LENT),
    "COIN": msgspec.structs.replace(COIN, **LENT),
    "REBAR": REBAR,
    "ABROAD": ABROAD,
    "USDCNY": PAIR,
}
SYMBOLS = tuple(RULES)
TERMS = c.MarginTerms(leverage=4, shorts=True, interest_ppb=80_000_000, call_s=5)
ON_MARGIN = (1, 2, 3)  # places among the people
INTENTS = ("open", "close", "close_today")


class MarginCrowd(Crowd):
    def __init__(self, *words: Any, **more: Any):
        super().__init__(*words, **more)
        ties = self.rules["SHARE"].auction_ties
        self.rules = {
            name: msgspec.structs.replace(rules, auction_ties=ties) for name, rules in RULES.items()
        }
        self.waiting: list[Any] = []  # to be said next: what a new day begins with

    def opening(self) -> list[Any]:
        said: list[Any] = [c.SetRules(each) for each in self.rules.values()]
        said.append(PhaseTick(DAY, "continuous", "", 0, START, START))
        for symbol in SYMBOLS:
            said.append(Reference(symbol, DAY, MIDDLE, *BAND, START, START, "sim"))
            said.append(Quote(symbol, ((995, 300),), ((1_000, 300), (1_005, 500)), START, START, "sim"))
        for place, who in enumerate(self.people):
            cash, terms = (1_500_00, TERMS) if place in ON_MARGIN else (10_000_000_00, None)
            said.append(c.OpenPortfolio(who, "CNY", cash, f"open{who}", terms))
            if terms is None:
                said += [c.Adjust(who, symbol, 100_000, "", f"give{symbol}") for symbol in ("SHARE", "COIN")]
        return said

    def _symbol(self) -> str:
        return SYMBOLS[int(self.chance.random() * len(SYMBOLS))]

    def _is_on_margin(self, who: int) -> bool:
        return self.people.index(who) in ON_MARGIN

    def _next(self) -> Any:
        if self.waiting:
            return self.waiting.pop()
        said = super()._next()
        if isinstance(said, PhaseTick) and said.market_day != self.told_day:
            self.told_day = said.market_day
            self.waiting = [self._reference(symbol) for symbol in SYMBOLS]
        return said

    told_day = DAY

    def _reference(self, symbol: str) -> Reference:
        settled = MIDDLE + int(self.chance.triangular(-60, 60, 0)) if symbol == "REBAR" else 0
        said = (symbol, self.day, MIDDLE, *BAND, self.at, self.at, "sim")
        return Reference(*said, settlement=settled)

    def _with_terms(self) -> Any:
        """Who trades on margin says what the order is to do to the position; the others as ever."""
        asked = super()._with_terms()
        if not self._is_on_margin(asked.portfolio):
            return asked
        intent = f"{asked.side}_to_{self.chance.choice(INTENTS)}"
        rests = asked.limit_price is not None and self.chance.random() < 0.1
        terms = c.Terms(position_intent=intent, post_only=rests)  # type: ignore[arg-type]
        kind = "market" if asked.limit_price is None else "limit"
        return c.NewOrderWithTerms(
            asked.portfolio, asked.order_id, asked.order_id, asked.symbol, asked.side, kind, "gtc",
            asked.qty or self._qty(asked.symbol), asked.limit_price, 0, terms,
        )  # fmt: skip

    def _print(self) -> Print:
        said = super()._print()
        if self.chance.random() > 0.08:
            return said
        far = self.chance.choice((40, 60, 80, 90, 110, 130, 170, 260))
        return msgspec.structs.replace(said, price=said.price * far // 500 * 5)
