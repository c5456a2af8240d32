"""Random commands where Bob and Carol have margin portfolios, the stock may be sold short and the coin is a
contract: the same invariants, and those of credit."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from market.rulebook.rules import FeeRule
from market.ticks import Reference
from tests.engine.pit import A_SHARE, ALICE, BOB, CAROL
from tests.engine.test_random_commands import (
    CLOSE,
    COIN,
    PERSON,
    PRICES,
    QTYS,
    SYMBOL,
    RandomCommands,
    restored,
)
from trading.engine import margin
from trading.engine.accounts import CLEARING
from trading.engine.commands import ClosePosition, MarginTerms, NewOrder, NewOrderWithTerms, Terms
from trading.engine.events import Event, OrderRow
from trading.messages import Scale
from trading.portfolios import worth

STOCK = msgspec.structs.replace(
    A_SHARE,
    margin_long_ppb=333_333_333,
    margin_short_ppb=500_000_000,
    maintenance_long_ppb=250_000_000,
    maintenance_short_ppb=300_000_000,
    short_allowed=True,
    borrow_ppb=36_000_000,
)
CONTRACT = msgspec.structs.replace(
    COIN,
    is_contract=True,
    close_today_apart=True,
    margin_long_ppb=100_000_000,
    margin_short_ppb=120_000_000,
    maintenance_long_ppb=80_000_000,
    maintenance_short_ppb=90_000_000,
    fees=(
        FeeRule("taker", "both", 1_000_000, 1, "open", effect="open"),
        FeeRule("taker", "both", 1_000_000, 1, "close", effect="close"),
        FeeRule("taker", "both", 9_000_000, 1, "today", effect="close_today"),
    ),
)
TERMS = MarginTerms(leverage=3, shorts=True, interest_ppb=80_000_000, call_s=3)
INTENTS = ("open", "close", "close_today")
SCALES = {
    "NLB": Scale("NLB", "", "CNY", 2, 0, 1, "us_equity"),
    "COIN": Scale("COIN", "", "CNY", 3, 4, 10, "us_equity", is_contract=True),
}


class RandomMargin(RandomCommands):
    symbols = {"NLB": STOCK, "COIN": CONTRACT}
    margin = {BOB: TERMS, CAROL: TERMS}

    def references(self) -> None:
        for symbol in self.symbols:
            at, settled = self.at_ns, CLOSE + self.day % 7 * 5 - 15
            tick = Reference(symbol, self.day, CLOSE, 0, 0, at, at, "sim", settlement=settled)
            self.do(tick)

    def do(self, command: Any) -> list[Event]:
        portfolios = self.engine.state.portfolios
        alone = {who for who in self.margin if who in portfolios and not portfolios[who].orders}
        events = super().do(command)
        if isinstance(command, NewOrder) and command.portfolio in alone:
            self.can_be_paid(command, events)
        return events

    def can_be_paid(self, command: NewOrder, events: list[Event]) -> None:
        """Whatever it was filled at, what is left covers the margin: the second step never lacks funds."""
        made = next((e for e in events if isinstance(e, OrderRow) and e.id == command.order_id), None)
        if made is not None and made.status != "rejected" and made.terms and made.terms.effect == "open":
            assert margin.available(self.engine.state.portfolios[command.portfolio]) >= 0

    @rule(
        who=st.sampled_from([BOB, CAROL]), symbol=SYMBOL, side=st.sampled_from(["buy", "sell"]), qty=QTYS,
        price=st.none() | PRICES, effect=st.sampled_from(INTENTS),
    )  # fmt: skip
    def intend(self, who: int, symbol: str, side: str, qty: int, price: int | None, effect: str) -> None:
        name = self.name()
        kind = "market" if price is None else "limit"
        fields = (who, name, f"c{name}", symbol, side, kind, "gtc", qty, self.on_tick(symbol, price), 0)
        self.do(NewOrderWithTerms(*fields, terms=Terms(position_intent=f"{side}_to_{effect}")))

    @rule(who=PERSON, symbol=SYMBOL, share=st.sampled_from([None, 500_000_000, 1_000_000_000]))
    def close(self, who: int, symbol: str, share: int | None) -> None:
        name = self.name()
        self.do(ClosePosition(who, name, f"c{name}", symbol, 0, share_ppb=share))

    @rule(symbol=SYMBOL, percent=st.sampled_from([40, 60, 80, 95, 105, 125, 160, 250]))
    def crash(self, symbol: str, percent: int) -> None:
        """Far away from where everybody stands, and back with the next quote."""
        price = CLOSE * percent // 500 * 5
        self.quote_at(symbol, price)
        self.trade(symbol, price, 10, "")
        self.tick_phase()

    def quote_at(self, symbol: str, price: int) -> None:
        quote = self.engine.state.markets[symbol].quote
        sides = {"bids": ((price - 5, 400),), "asks": ((price, 400),)}
        at = {"at_ns": self.at_ns, "received_ns": self.at_ns, "seq": len(self.log)}
        self.do(msgspec.structs.replace(quote, **sides, **at))

    @invariant()
    def nobody_owes_without_leave(self) -> None:
        for balance in self.engine.state.balances.values():
            if balance.account > 0 and balance.posted < 0:
                assert balance.account in self.margin
        alice = self.engine.state.portfolios.get(ALICE)
        if alice is not None:
            assert all(position.held.posted >= 0 for position in alice.positions.values())

    @invariant()
    def net_liquidation_is_one_figure(self) -> None:
        """The engine's equity and the one that players are shown, to the minor unit."""
        state = self.engine.state
        marks = {name: (market.mark(), CLOSE) for name, market in state.markets.items() if market.mark()}
        for one in state.portfolios.values():
            if one.margin is None:
                continue
            rows = [position.row() for position in one.positions.values()]
            shown = worth({"CNY": one.cash.posted}, rows, marks, SCALES, "CNY")
            now = margin.standing(one)
            if now.known:
                assert shown.equity == now.equity

    @invariant()
    def contracts_come_to_nothing(self) -> None:
        """What clearing paid and took is what players won and lost."""
        state = self.engine.state
        positions = [p.positions["COIN"] for p in state.portfolios.values() if "COIN" in p.positions]
        fees = sum(row.fee for filled in self.audit.fills.values() for row in filled if row.symbol == "COIN")
        won = sum(position.realised for position in positions) + fees
        assert state.system(CLEARING, "CNY").posted == -won

    @invariant()
    def orders_open_one_way(self) -> None:
        for one in self.engine.state.portfolios.values():
            for order in one.orders.values():
                if order.effect != "open":
                    continue
                held = (
                    one.positions[order.market.symbol].held.posted
                    if order.market.symbol in one.positions
                    else 0
                )
                assert held >= 0 if order.buys else held <= 0

    def rows_rebuild_it(self) -> None:
        """Queues and marks come with the feed: what the tables hold is the same."""
        other = restored(self.engine, self.audit)
        assert other.state_hash() == self.engine.state_hash()
        assert other.breaches() == []
        assert sorted(other.state.called) == sorted(self.engine.state.called)


RandomMargin.TestCase.settings = settings(
    max_examples=30, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
TestRandomMargin = RandomMargin.TestCase
