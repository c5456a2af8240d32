"""The random commands, and among them every order with terms: stops, legs, auctions, amounts of money."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from tests.engine.pit import ALICE, BOB, NS
from tests.engine.test_random_commands import CLOSE, PERSON, PRICES, SYMBOL, WORDS, RandomCommands
from trading.engine.commands import ClosePosition, Leg, NewOrderWithTerms, ReplaceWithTerms, Terms


class RandomTerms(RandomCommands):
    @rule(
        who=PERSON, symbol=SYMBOL, price=st.none() | PRICES, stop=PRICES, words=WORDS,
        kind=st.sampled_from(["stop", "trail", "trail %", "post-only", "gtd", "notional", "opg", "cls"]),
        fired_by=st.sampled_from(["print", "print", "quote"]),
    )  # fmt: skip
    def new_with_terms(
        self, who: int, symbol: str, price: int | None, stop: int, words: tuple, kind: str, fired_by: str
    ) -> None:
        side, qty, tif, _ = words
        price, stop = self.on_tick(symbol, price), self.on_tick(symbol, stop) or CLOSE
        name, trails = self.name(), kind.startswith("trail")
        terms = {
            "stop": {"stop_price": stop, "fired_by": fired_by},
            "trail": {"trail_price": 5},
            "trail %": {"trail_ppb": 4_000_000},
            "post-only": {"post_only": True},
            "gtd": {"expire_ns": self.at_ns + 3 * NS},
            "notional": {"notional": qty * 1000},
        }.get(kind, {})
        type_ = "trailing_stop" if trails else "market" if price is None else "limit"
        if kind == "stop":
            type_ = "stop" if price is None else "stop_limit"
        tif = {"gtd": "gtd", "opg": "opg", "cls": "cls"}.get(kind, tif if kind == "notional" else "gtc")
        plain = (who, name, f"c{name}", symbol, side, type_, tif)
        qty, limit = (0 if kind == "notional" else qty), (None if trails else price)
        self.do(NewOrderWithTerms(*plain, qty, limit, 0, Terms(**terms)))

    @rule(
        who=st.sampled_from([ALICE, BOB]), price=st.none() | PRICES, gap=st.integers(1, 3),
        kind=st.sampled_from(["bracket", "bracket", "oco", "oto profit", "oto loss"]), limited=st.booleans(),
    )  # fmt: skip
    def new_with_legs(self, who: int, price: int | None, gap: int, kind: str, limited: bool) -> None:
        """In COIN, where what is bought may be sold on the same day."""
        middle = self.on_tick("COIN", price)
        high, low = (middle or CLOSE) + gap * 5, (middle or CLOSE) - gap * 5
        name = self.name()
        profit = Leg(f"{name}p", f"c{name}p", limit_price=high)
        loss = Leg(f"{name}l", f"c{name}l", limit_price=low - 5 if limited else None, stop_price=low)
        side, order_class = "sell" if kind == "oco" else "buy", kind.partition(" ")[0]
        terms = Terms(
            order_class=order_class,
            take_profit=profit if kind in ("bracket", "oto profit") else None,
            stop_loss=loss if kind != "oto profit" else None,
        )
        limit = middle or (CLOSE if kind == "oco" else None)
        type_ = "market" if limit is None else "limit"
        plain = (who, name, f"c{name}", "COIN", side, type_, "gtc", 100, limit, 0)
        self.do(NewOrderWithTerms(*plain, terms))

    @rule(who=PERSON, symbol=SYMBOL, share=st.sampled_from([None, 300_000_000, 1_000_000_000]))
    def close_position(self, who: int, symbol: str, share: int | None) -> None:
        name = self.name()
        self.do(ClosePosition(who, name, f"c{name}", symbol, 0, share_ppb=share))

    @rule(pick=st.integers(0, 50), stop=PRICES, price=st.none() | PRICES)
    def replace_terms(self, pick: int, stop: int, price: int | None) -> None:
        name = self.pick(pick)
        order = self.engine.state.orders.get(name)
        who, symbol = (order.portfolio.id, order.market.symbol) if order else (ALICE, "COIN")
        limit = self.on_tick(symbol, price) if order and order.limit_price else None
        self.do(ReplaceWithTerms(who, name, "x", 0, None, limit, stop_price=self.on_tick(symbol, stop)))

    @invariant()
    def pairs_offer_once(self) -> None:
        """A stop loss that is held beside its take profit covers what that still offers, and no more."""
        for order in self.engine.state.orders.values():
            if order.status != "held" or order.trigger is None:
                continue
            other = self.engine.state.orders[order.terms.sibling]
            assert other.status != "held"
            assert order.qty == other.leaves


RandomTerms.TestCase.settings = settings(
    max_examples=40, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
TestRandomTerms = RandomTerms.TestCase
