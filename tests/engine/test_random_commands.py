"""Random commands, and after each of them the invariants: in memory, and folded from the rows.

At the end the same commands give the same bytes on a second engine, and the rows alone rebuild the
state, which then goes on exactly as the original does.
"""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from market.rulebook.rules import PERMITS, FeeRule
from market.ticks import PhaseTick, Print, Quote, Reference
from tests.engine.audit import Audit
from tests.engine.pit import A_SHARE, ALICE, BOB, CAROL, NS, PLAIN, START, after
from trading.engine.commands import (
    Adjust,
    CancelAll,
    CancelOrder,
    Freeze,
    Halt,
    MarginTerms,
    NewOrder,
    OpenPortfolio,
    ReplaceOrder,
    SetRules,
)
from trading.engine.engine import Engine
from trading.engine.events import Event, FillRow
from trading.engine.orders import HELD
from trading.engine.records import PortfolioState

# Coins have odd exponents and a multiplier: price in 0.001, quantity in 0.0001, ten of them a contract.
COIN = msgspec.structs.replace(
    PLAIN,
    symbol="COIN",
    asset="COIN",
    price_exponent=3,
    qty_exponent=4,
    multiplier=10,
    tick=5,
    lot=10,
    least_qty=20,
    fees=(FeeRule("taker", "both", 1_000_000, 1, ""),),
)
SYMBOLS = {"NLB": A_SHARE, "COIN": COIN}
PEOPLE = (ALICE, BOB, CAROL)
CLOSE = 1000  # around which all prices lie
PRICES = st.integers(CLOSE - 12, CLOSE + 12)
QTYS = st.sampled_from([1, 30, 50, 100, 100, 200, 200, 300, 1000])
SYMBOL = st.sampled_from(sorted(SYMBOLS))
PERSON = st.sampled_from(PEOPLE)
LEVELS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0, 50, 100, 300])), max_size=4)

WORDS = st.tuples(
    st.sampled_from(["buy", "sell"]),
    QTYS,
    st.sampled_from(["day", "day", "gtc", "ioc", "fok"]),
    st.sampled_from([False, False, False, False, True]),
)

DISTURBANCES = st.sampled_from([
    *[("phase", name) for name in ("auction", "auction_locked", "break", "closed", "pre_open", "paused")],
    ("stale", None), ("stale", None), ("halt", None), ("halt", None), ("freeze", BOB), ("freeze", CAROL),
    ("limits", (995, 1010)), ("limits", (0, 0)),
    ("fees", (0, 0)), ("fees", (250_000, 5_00)), ("fees", (30_000_000, 50_00)),
])  # fmt: skip
FOREVER = 1 << 60


def ladder(best: int, gaps: list[tuple[int, int]], sign: int) -> tuple[tuple[int, int], ...]:
    """Levels from the best outwards, without equal prices."""
    prices: dict[int, int] = {}
    price = best
    for gap, size in gaps:
        price += gap * sign * 5
        prices.setdefault(price, size)
        price += sign * 5
    return tuple((price, size) for price, size in prices.items() if size)


class RandomCommands(RuleBasedStateMachine):
    symbols = SYMBOLS
    margin: dict[int, MarginTerms] = {}  # who has a margin portfolio

    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine(1)
        self.audit = Audit()
        self.log: list[tuple[Any, int, int, bytes]] = []
        self.at_ns = START
        self.day = 20261102
        self.phase = "continuous"
        self.names = 0
        self.calm_at = FOREVER

    def do(self, command: Any) -> list[Event]:
        seq = len(self.log) + 1
        booked = {key: o for key, o in self.engine.state.orders.items() if o.status != HELD}
        before = {key: (o.price, o.priority, o.waits) for key, o in booked.items()}
        events = self.engine.apply(command, seq, self.at_ns)
        self.log.append((command, seq, self.at_ns, msgspec.msgpack.encode(events)))
        self.audit.follow(events)
        self.in_their_turn(before, events)
        self.only_when_allowed(events)
        return events

    def in_their_turn(self, before: dict[str, tuple[int, int, str]], events: list[Event]) -> None:
        """I10: whoever rested and was filled left nobody behind who had stood before him."""
        state = self.engine.state
        for event in events:
            if not isinstance(event, FillRow) or event.order_id not in before:
                continue
            if "auction" in event.receipt:
                continue  # test_auctions.py checks who is served first there
            price, priority, waits = before[event.order_id]
            if waits or self.audit.orders[event.order_id].priority != priority:
                continue  # it came as a taker
            for other in state.orders.values():
                if other.market.symbol != event.symbol or other.side != event.side or other.waits:
                    continue
                stood = before.get(other.id)
                if stood is None or stood[2] or (other.price, other.priority) != stood[:2]:
                    continue
                better = stood[0] > price if other.buys else stood[0] < price
                assert not better, f"I10 {other.id} had the better price than {event.order_id}"
                earlier = stood[0] == price and stood[1] < priority
                assert not earlier, f"I10 {other.id} came before {event.order_id}"

    def only_when_allowed(self, events: list[Event]) -> None:
        """I17: no fill while the phase forbids it, the instrument is halted, or its quote is old."""
        for event in events:
            if isinstance(event, FillRow):
                market = self.engine.state.markets[event.symbol]
                assert PERMITS[self.phase].match or "auction" in event.receipt, "I17 phase"
                assert not market.halted, "I17 halted"
                assert self.at_ns - market.quote.received_ns <= market.rules.quote_age_ns_max, "I17 stale"

    # what may happen ----------------------------------------------------------------------------
    @initialize()
    def begin(self) -> None:
        for rules in self.symbols.values():
            self.do(SetRules(rules))
        self.tick_phase()
        for who, cash in zip(PEOPLE, (10_000_00, 4_000_00, 600_00), strict=True):
            self.do(OpenPortfolio(who, "CNY", cash, "open", self.margin.get(who)))
        for who in (ALICE, BOB):
            for symbol in self.symbols:
                self.do(Adjust(who, symbol, 1050, "start", "x"))
        self.references()
        for symbol in self.symbols:
            self.quote(symbol, 0, [(0, 100), (0, 300)], [(0, 100), (0, 300)])

    def references(self) -> None:
        for symbol in self.symbols:
            close = CLOSE if symbol == "NLB" else 0
            self.do(Reference(symbol, self.day, close, 0, 0, self.at_ns, self.at_ns, "sim"))

    def tick_phase(self) -> None:
        self.do(PhaseTick(self.day, self.phase, "", 0, self.at_ns, self.at_ns))

    @rule(who=PERSON, symbol=SYMBOL, price=st.none() | PRICES, words=WORDS)
    def new(self, who: int, symbol: str, price: int | None, words: tuple[str, int, str, bool]) -> None:
        side, qty, tif, late = words
        self.names += 1
        if len(self.log) >= self.calm_at:
            self.calm()
        if price is not None and symbol == "COIN":
            price = price // 5 * 5
        name = f"o{self.names}"
        kind = "market" if price is None else "limit"
        deadline = self.at_ns - 1 if late else 0
        self.do(NewOrder(who, name, f"c{name}", symbol, side, kind, tif, qty, price, deadline))

    # A rule is as likely as any other: orders should come more often.
    @rule(who=PERSON, symbol=SYMBOL, price=PRICES, words=WORDS)
    def limit_order(self, who: int, symbol: str, price: int, words: tuple[str, int, str, bool]) -> None:
        self.new(who, symbol, price, words)

    @rule(
        who=st.sampled_from([ALICE, BOB]), symbol=SYMBOL, side=st.sampled_from(["buy", "sell"]), price=PRICES
    )
    def resting_order(self, who: int, symbol: str, side: str, price: int) -> None:
        self.new(who, symbol, price, (side, 100, "gtc", False))

    def name(self) -> str:
        self.names += 1
        return f"o{self.names}"

    def on_tick(self, symbol: str, price: int | None) -> int | None:
        return price // 5 * 5 if price is not None and symbol == "COIN" else price

    @rule(who=PERSON, pick=st.integers(0, 50), version=st.sampled_from([0, 0, 1]))
    def cancel(self, who: int, pick: int, version: int) -> None:
        self.do(CancelOrder(who, self.pick(pick), "x", 0, version))

    @rule(who=PERSON, symbol=SYMBOL | st.just(""))
    def cancel_all(self, who: int, symbol: str) -> None:
        self.do(CancelAll(who, "x", 0, symbol))

    @rule(
        pick=st.integers(0, 50), qty=st.none() | QTYS, price=st.none() | PRICES,
        tif=st.sampled_from([None, "gtc", "day"]),
    )  # fmt: skip
    def replace(self, pick: int, qty: int | None, price: int | None, tif: str | None) -> None:
        name = self.pick(pick)
        order = self.engine.state.orders.get(name)
        who = order.portfolio.id if order else ALICE
        if price is not None and order is not None and order.market.symbol == "COIN":
            price = price // 5 * 5
        self.do(ReplaceOrder(who, name, "x", 0, qty, price, tif))

    def pick(self, pick: int) -> str:
        names = list(self.engine.state.orders) or [f"o{self.names}"]
        return names[pick % len(names)] if pick < 45 else f"o{max(self.names - pick + 44, 0)}"

    @rule(symbol=SYMBOL, best=st.integers(-2, 1), bids=LEVELS, asks=LEVELS)
    def quote(self, symbol: str, best: int, bids: list, asks: list) -> None:
        bid = CLOSE + best * 5
        at = self.at_ns
        self.do(
            Quote(symbol, ladder(bid, bids, -1), ladder(bid + 5, asks, 1), at, at, "sim", seq=len(self.log))
        )

    @rule(symbol=SYMBOL)
    def refresh(self, symbol: str) -> None:
        quote = self.engine.state.markets[symbol].quote
        if quote is not None:
            self.do(msgspec.structs.replace(quote, received_ns=self.at_ns, seq=len(self.log)))

    @rule(
        symbol=SYMBOL, price=PRICES, size=st.sampled_from([10, 50, 150, 400]),
        side=st.sampled_from(["buy", "sell", ""]),
    )  # fmt: skip
    def trade(self, symbol: str, price: int, size: int, side: str) -> None:
        filled_before = self.audit.fill_n
        events = self.do(Print(symbol, price, size, side, self.at_ns, self.at_ns, "sim", seq=len(self.log)))
        printed = [e.qty for e in events if isinstance(e, FillRow) and "print" in e.receipt]
        assert sum(printed) <= size, "more than was printed"
        assert self.audit.fill_n >= filled_before

    @rule(seconds=st.sampled_from([1, 1, 5]))
    def wait(self, seconds: int) -> None:
        self.at_ns += seconds * NS

    @rule()
    def next_day(self) -> None:
        self.day = after(self.day)
        self.tick_phase()
        self.references()
        for order in self.engine.state.orders.values():
            kept = order.time_in_force in ("gtc", "gtd")
            assert kept or order.market_day == self.day, "I17 day orders end"
        for portfolio in self.engine.state.portfolios.values():
            if portfolio.margin is None:  # others may have been reduced since the day began
                assert all(position.is_at_rest for position in portfolio.positions.values())

    @rule(who=PERSON, asset=SYMBOL | st.just("CNY"), amount=st.sampled_from([-5000, -100, -1, 1, 100, 5000]))
    def adjust(self, who: int, asset: str, amount: int) -> None:
        self.do(Adjust(who, asset, amount, "drill", "x"))

    @rule(symbol=SYMBOL, what=DISTURBANCES, lasts=st.integers(1, 12))
    def disturb(self, symbol: str, what: tuple[str, Any], lasts: int) -> None:
        """Something is out of the ordinary for a while; orders go on coming."""
        kind, detail = what
        self.calm_at = len(self.log) + lasts
        if kind == "phase":
            self.phase = detail
            self.tick_phase()
        elif kind == "stale":
            self.at_ns += 20 * NS
        elif kind == "halt":
            self.do(Halt(symbol, True, "", "x"))
        elif kind == "freeze":
            self.do(Freeze(detail, True, "", "x"))
        elif kind == "limits":
            self.do(Reference("NLB", self.day, CLOSE, *detail, self.at_ns, self.at_ns, "sim"))
        elif kind == "fees":
            fees = (FeeRule("commission", "both", *detail, ""), FeeRule("stamp", "sell", 500_000, 0, ""))
            self.do(SetRules(msgspec.structs.replace(self.symbols[symbol], fees=fees)))

    def calm(self) -> None:
        self.calm_at = FOREVER
        if self.phase != "continuous":
            self.phase = "continuous"
            self.tick_phase()
        for symbol in self.symbols:
            self.do(Halt(symbol, False, "", "x"))
            self.refresh(symbol)
        for who in PEOPLE:
            self.do(Freeze(who, False, "", "x"))

    # what must hold -----------------------------------------------------------------------------
    @invariant()
    def books_are_true(self) -> None:
        broken = [*self.engine.breaches(), *self.audit.breaches(self.engine)]
        assert not broken, broken[0]

    def teardown(self) -> None:
        if not self.log:
            return
        self.same_commands_same_bytes()
        self.rows_rebuild_it()

    def same_commands_same_bytes(self) -> None:
        other = Engine(1)
        for command, seq, at_ns, told in self.log:
            assert msgspec.msgpack.encode(other.apply(command, seq, at_ns)) == told
        assert other.state_hash() == self.engine.state_hash()

    def rows_rebuild_it(self) -> None:
        """From what the rows say the state is the same, and after the same ticks so is what follows."""
        other = restored(self.engine, self.audit)
        assert other.state_hash() == self.engine.state_hash()
        assert other.breaches() == []
        both = (self.engine, other)
        at, seq = self.at_ns, len(self.log)
        ticks: list[Any] = [PhaseTick(self.day, self.phase, "", 0, at, at)]
        for symbol in self.symbols:
            ticks.append(Reference(symbol, self.day, CLOSE, 0, 0, at, at, "sim"))
            ticks.append(Quote(symbol, (), (), at, at, "sim", seq=seq))
            ticks.append(Print(symbol, CLOSE, 0, "", at, at, "sim", seq=seq))
        for tick in ticks:
            assert len({told_without_quote(engine.apply(tick, seq, at)) for engine in both}) == 1, tick
        assert other.state_hash() == self.engine.state_hash()
        for command in self.afterwards():
            seq, at = seq + 1, at + NS
            if isinstance(command, Quote | Print):
                command = msgspec.structs.replace(command, received_ns=at, seq=seq)
            told = [msgspec.msgpack.encode(engine.apply(command, seq, at)) for engine in both]
            assert told[0] == told[1]

    def afterwards(self) -> list[Any]:
        day = self.day
        return [
            PhaseTick(day, "continuous", "", 0, 0, 0),
            *[
                Quote(symbol, ((995, 100),), ((1000, 100), (1010, 300)), 0, 0, "sim")
                for symbol in self.symbols
            ],
            *[Print(symbol, price, 200, "", 0, 0, "sim") for symbol in self.symbols for price in (1005, 990)],
            *[
                NewOrder(ALICE, f"z{s}", f"z{s}", s, "buy", "limit", "gtc", 200, 1005, 0)
                for s in self.symbols
            ],
            *[
                NewOrder(BOB, f"y{s}", f"y{s}", s, "sell", "market", "day", 100, None, 0)
                for s in self.symbols
            ],
            PhaseTick(day + 1, "continuous", "", 0, 0, 0),
            *[Quote(symbol, ((1005, 900),), ((1010, 900),), 0, 0, "sim") for symbol in self.symbols],
            *[CancelAll(who, "z", 0) for who in PEOPLE],
        ]


def told_without_quote(events: list[Event]) -> bytes:
    """A restored engine has seen no quote yet that its receipts could name."""
    told = msgspec.to_builtins(events)
    for event in told:
        if "receipt" in event:
            event["receipt"].pop("quote", None)
    return msgspec.msgpack.encode(told)


def restored(engine: Engine, audit: Audit) -> Engine:
    """A second engine, from the rows that were told; only the queues are taken from memory."""
    state = engine.state
    queues = {order.id: order.queue_ahead for order in state.orders.values()}
    other = Engine(1)
    other.restore(
        portfolios=[
            PortfolioState(p.id, p.currency, p.status, p.reason, p.margin, p.call_ns, p.accrued_day)
            for p in state.portfolios.values()
        ],
        balances=audit.balances.values(),
        positions=audit.positions.values(),
        orders=[
            msgspec.structs.replace(audit.orders[key], queue_ahead=ahead) for key, ahead in queues.items()
        ],
        rules=[market.rules for market in state.markets.values()],
        fills_n=audit.fill_n,
        transfers_n=audit.transfer_n,
        halted=[market.symbol for market in state.markets.values() if market.halted],
        closed=[(key, *ended) for key, ended in state.closed.items()],
        has_opened=state.has_opened,
    )
    return other


RandomCommands.TestCase.settings = settings(
    max_examples=25, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
TestRandomCommands = RandomCommands.TestCase
