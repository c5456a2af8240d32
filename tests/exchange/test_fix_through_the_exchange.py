"""The same FIX scenarios once more, through socket, engine, PostgreSQL and feed: what the tables say."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from market.models import Instrument
from market.ticks import PhaseTick, Quote, Reference
from simgame.kernel import clock
from simgame.kernel.ids import uuid7
from tests.engine.pit import ALICE, BOB
from tests.engine.test_fix_scenarios import SCENARIOS, Line, bust_the_first
from tests.exchange import street
from trading import invariants
from trading.engine.commands import Adjust, CancelAll, Halt, ReplaceOrder
from trading.engine.events import Refused
from trading.exchange.client import ask_sync
from trading.exchange.wire import Reply
from trading.models import Order

pytestmark = pytest.mark.django_db(transaction=True)
UNIT = "UNIT"  # an instrument whose lot is one share
LATER_NS = 30 * clock.NS_PER_S
# A fill is taken back by two people from its rows: told in tests/trading.
HERE = {name: steps for name, steps in SCENARIOS.items() if bust_the_first not in [act for act, _ in steps]}


class Street:
    """Speaks like the engine's pit, to a running exchange."""

    def __init__(self, world: Any, feed: street.Feed, people: dict[int, int]):
        self.world, self.feed, self.people = world, feed, people
        self.order_id = ""
        self._keys = itertools.count(1)

    def buy(self, who: int, qty: int, price: int, tif: str = "day", order_id: str = "") -> None:
        reply = self._order(who, "buy", qty, price, tif)
        if order_id == "X":
            self.order_id = reply.result["order"]["id"]

    def sell(self, who: int, qty: int, price: int) -> None:
        self._order(who, "sell", qty, price, "day")

    def replace(self, who: int, _: str, **changes: Any) -> list[Refused]:
        fields = (self.people[who], self.order_id, str(uuid7()), clock.now_ns() + LATER_NS)
        return self._refused(ReplaceOrder(*fields, **changes))

    def cancel(self, who: int, _: str) -> list[Refused]:
        return self._refused(street.cancel(self.people[who], self.order_id))

    def halt(self, halted: bool = True) -> list[Refused]:
        return self._refused(Halt(UNIT, halted, "", f"h{next(self._keys)}"))

    def phase(self, phase: str, day: int = street.DAY) -> None:
        now = clock.now_ns()
        self._say(PhaseTick(day, phase, "", 0, now, now))
        if phase == "continuous":
            self._say(Reference(UNIT, day, 1000, 0, 0, now, now, "test"))

    def quote(self, bids: tuple = (), asks: tuple = ()) -> None:
        now = clock.now_ns()
        self._say(Quote(UNIT, bids, asks, now, now, "test"))

    def line(self) -> Line:
        row = Order.objects.get(id=self.order_id)
        is_open = row.status in ("new", "partially_filled", "suspended")
        return row.status, row.qty, row.filled_qty, row.qty - row.filled_qty if is_open else 0

    def clear(self) -> None:
        for portfolio in self.people.values():
            ask_sync(self.world.number, CancelAll(portfolio, str(uuid7()), clock.now_ns() + LATER_NS))

    def _order(self, who: int, side: str, qty: int, price: int, tif: str) -> Reply:
        fields = {"side": side, "qty": qty, "limit_price": price, "time_in_force": tif, "symbol": UNIT}
        reply = ask_sync(self.world.number, street.new_order(self.people[who], **fields))
        assert reply.outcome == "executed", reply
        return reply

    def _refused(self, command: Any) -> list[Refused]:
        reply = ask_sync(self.world.number, command)
        return [] if reply.outcome == "executed" else [Refused(reply.code, reply.detail)]

    def _say(self, tick: Any) -> None:
        seq = self.feed.say(tick)
        street.wait_for(lambda: street.status(self.world)["tick_seq"] >= seq, "the tick to be applied")


@pytest.fixture
def people(world):
    Instrument.objects.create(
        world=world, symbol=UNIT, name=UNIT, kind=Instrument.Kind.STOCK, currency="CNY", price_exponent=2,
        tick=1, lot=1, quote_age_ms_max=600_000,
    )  # fmt: skip
    feed = street.Feed(world)
    exchange = street.InThread(world)
    alice, bob = (street.open_portfolio(world, name, cash=10**12) for name in ("alice", "bob"))
    ask_sync(world.number, Adjust(bob.id, UNIT, 1_000_000, "he has them", "a1"))
    yield Street(world, feed, {ALICE: alice.id, BOB: bob.id})
    exchange.stop()
    feed.close()


def test_the_tables_go_through_every_line(people):
    for name, scenario in HERE.items():
        people.phase("continuous")
        people.quote(bids=((900, 1),), asks=((1100, 1),))
        for step, (act, expected) in enumerate(scenario):
            before = people.line() if isinstance(expected, str) else None
            answer = act(people)
            if isinstance(expected, str):
                assert ([refused.code for refused in answer], people.line()) == ([expected], before), name
            elif expected is not None:
                street.wait_for(lambda: people.line() == expected, f"{name}, step {step}: {expected}", 10)  # noqa: B023
        people.clear()
    assert invariants.reconcile(people.world).breaks == 0
