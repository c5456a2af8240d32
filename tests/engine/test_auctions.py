"""Call auctions: one price by volume, imbalance, pressure and reference; who is served; opg and cls."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.ticks import PhaseTick
from tests.engine.pit import A_SHARE, ALICE, BOB, CAROL, DAY, Pit, codes, fills, stand
from trading.engine.auction import Bid, price_of
from trading.engine.markets import Market


@pytest.fixture
def pit() -> Pit:
    pit = Pit(phase="auction", previous_close=1000)
    for who in (ALICE, BOB, CAROL):
        pit.open(who, holding=1000)
    pit.quote()
    return pit


def market(reference: int) -> Market:
    found = Market("NLB")
    found.last_price = reference
    return found


def bids(*levels: tuple[int, int], best_first: int) -> list[Bid]:
    return [Bid(price, size, None) for price, size in sorted(levels, key=lambda each: -each[0] * best_first)]


CASES: dict[str, Any] = {
    "volume": ([(102, 100), (101, 50)], [(100, 100), (101, 50)], 101, 150, "volume"),
    "imbalance": ([(102, 100), (100, 30)], [(99, 100), (102, 5)], 101, 100, "imbalance"),
    "no imbalance anywhere": ([(102, 100), (101, 20)], [(100, 120)], 100, 120, "reference"),
    "pressure of buyers": ([(105, 150)], [(95, 100)], 105, 100, "pressure"),
    "pressure of sellers": ([(105, 100)], [(95, 150)], 95, 100, "pressure"),
    "nearest to the reference": ([(105, 100)], [(95, 100)], 100, 100, "reference"),
    "the reference lies outside": ([(99, 100)], [(95, 100)], 99, 100, "reference"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_price_by_hand(name: str):
    buys, sells, price, volume, why = CASES[name]
    outcome = price_of(bids(*buys, best_first=1), bids(*sells, best_first=-1), market(100))
    assert (outcome.price, outcome.volume, outcome.decided_by) == (price, volume, why)


LEVELS = st.lists(st.tuples(st.integers(90, 110), st.integers(1, 50)), min_size=1, max_size=6)


@given(LEVELS, LEVELS, st.integers(85, 115))
@settings(max_examples=200, deadline=None)
def test_no_other_price_would_be_better(buys: list, sells: list, reference: int):
    """Against every price there is, tried one by one."""

    def at(price: int) -> tuple[int, int]:
        bought = sum(size for p, size in buys if p >= price)
        sold = sum(size for p, size in sells if p <= price)
        return min(bought, sold), -abs(bought - sold)

    outcome = price_of(bids(*buys, best_first=1), bids(*sells, best_first=-1), market(reference))
    best = max(at(price) for price in range(80, 121))
    if outcome is None:
        assert best[0] == 0
        return
    assert at(outcome.price) == best
    rivals = [price for price in range(80, 121) if at(price) == best]
    left = {p: sum(s for q, s in buys if q >= p) - sum(s for q, s in sells if q <= p) for p in rivals}
    if outcome.decided_by == "reference":
        assert outcome.price == min(rivals, key=lambda p: (abs(p - reference), -p))
    elif outcome.decided_by == "pressure":
        assert outcome.price == (max(rivals) if min(left.values()) > 0 else min(rivals))


def test_players_meet_at_one_price_when_the_phase_ends(pit: Pit):
    pit.buy(ALICE, 100, 1010)
    pit.buy(BOB, 100, 1005)
    assert fills(pit.sell(CAROL, 150, 990).receipt and pit.events) == []
    pit.phase("auction_locked")
    assert pit.audit.fill_n == 0
    events = pit.phase("pre_open")
    assert fills(events) == [(1005, 100)] * 2 + [(1005, 50)] * 2
    assert stand(pit, "o1", "o2", "o3") == [
        ("filled", 100, 100),
        ("partially_filled", 100, 50),
        ("filled", 150, 150),
    ]
    receipt = pit.audit.fills["o1"][0].receipt
    assert receipt["rule"]["name"] == "auction"
    assert receipt["auction"] == {
        "price": 1005,
        "volume": 150,
        "bought": 200,
        "sold": 150,
        "decided_by": "pressure",
        "reference": 1000,
    }


def test_what_is_left_goes_on_into_continuous_trading(pit: Pit):
    pit.buy(ALICE, 100, 1005)
    pit.sell(BOB, 40, 1000)
    pit.phase("continuous")
    assert stand(pit, "o1") == [("partially_filled", 100, 40)]
    assert fills(pit.sell(CAROL, 60, 1005) and pit.events)[-1] == (1005, 60)


def test_displayed_depth_takes_part_and_stands_before_players_at_its_price(pit: Pit):
    pit.quote(bids=((1000, 30),), asks=((1010, 500),))
    pit.buy(ALICE, 100, 1000)
    pit.sell(BOB, 80, 1000)
    pit.phase("continuous")
    assert pit.row("o1").filled_qty == 50
    assert [fill.against for fill in pit.audit.fills["o2"]] == ["market", "player"]
    assert pit.engine.state.markets["NLB"].bids.left_at(1000) == 0


def test_better_price_first_and_then_time(pit: Pit):
    for who, price in ((ALICE, 1000), (BOB, 1001), (CAROL, 1000)):
        pit.buy(who, 10, price)
    pit.open(4, holding=15)
    pit.sell(4, 15, 1000)
    pit.phase("continuous")
    assert [pit.row(f"o{n}").filled_qty for n in (1, 2, 3)] == [5, 10, 0]


def test_own_orders_do_not_meet(pit: Pit):
    pit.buy(ALICE, 10, 1005)
    pit.sell(ALICE, 10, 1000)
    pit.sell(BOB, 10, 1000)
    pit.phase("continuous")
    assert (pit.row("o2").status, pit.row("o2").reason) == ("canceled", "SELF_TRADE")
    assert pit.row("o1").status == pit.row("o3").status == "filled"


@pytest.mark.parametrize("why", ["halt", "stale", "paused", "next day"])
def test_no_auction_when_nothing_may_trade(pit: Pit, why: str):
    pit.buy(ALICE, 10, 1000)
    pit.sell(BOB, 10, 1000, "gtc")
    if why == "halt":
        pit.halt()
    elif why == "stale":
        pit.wait(16)
    pit.phase("pre_open", paused=why == "paused", day=DAY + (why == "next day"))
    assert pit.audit.fill_n == 0


def test_the_auction_keeps_to_the_fees_and_t_plus_one():
    pit = Pit(A_SHARE, phase="auction", previous_close=10_00)
    pit.open(ALICE)
    pit.open(BOB, holding=1000)
    pit.quote()
    pit.buy(ALICE, 1000, 10_10)
    pit.sell(BOB, 1000, 9_90)
    pit.phase("pre_open")
    assert [fill.fee for fill in pit.audit.fills["o1"]] == [5_00 + 10]
    assert pit.position(ALICE).sellable == 0
    assert pit.free(ALICE) == pit.cash(ALICE)


def test_an_opening_order_is_for_the_opening_only(pit: Pit):
    pit.ask(ALICE, "buy", 100, 1000, "opg", order_id="A")
    pit.buy(ALICE, 50, tif="opg", order_id="M")
    assert [pit.row(name).receipt["waits"] for name in "AM"] == ["auction", "auction"]
    pit.sell(BOB, 120, 990)
    pit.phase("continuous")
    assert stand(pit, "A", "M") == [("canceled", 100, 70), ("filled", 50, 50)]
    assert pit.row("A").reason == "AUCTION_ENDED"
    assert pit.buy(ALICE, 10, 1000, "opg").reason == "MARKET_CLOSED"
    assert pit.free(ALICE) == pit.cash(ALICE)


def test_a_closing_order_waits_through_the_day(pit: Pit):
    pit.phase("continuous")
    pit.quote(bids=((999, 500),), asks=((1001, 500),))
    pit.buy(ALICE, 100, 1005, "cls", order_id="A")
    pit.trade(1000, 500)
    assert stand(pit, "A") == [("new", 100, 0)]
    pit.phase("auction_locked")
    assert codes(pit.cancel(ALICE, "A")) == ["MARKET_CLOSED"]
    events = pit.phase("closed")
    assert fills(events) == [(1001, 100)]
    assert pit.row("A").status == "filled"


def test_a_closing_order_takes_no_part_in_the_opening_and_ends_with_the_day(pit: Pit):
    pit.buy(ALICE, 100, 1005, "cls", order_id="A")
    pit.sell(BOB, 100, 1000, order_id="B")
    pit.phase("continuous")
    assert stand(pit, "A", "B") == [("new", 100, 0), ("new", 100, 0)]
    pit.phase("closed")  # a venue without a closing auction
    assert (pit.row("A").status, pit.row("A").reason) == ("expired", "DAY_ENDED")


def test_auction_orders_are_market_or_limit_and_change_little(pit: Pit):
    assert pit.ask(ALICE, "sell", 10, kind="stop", tif="cls", stop_price=900).reason == "UNSUPPORTED"
    pit.buy(ALICE, 10, 1000, "cls", order_id="A")
    assert codes(pit.replace(ALICE, "A", time_in_force="day")) == ["UNSUPPORTED"]
    pit.replace(ALICE, "A", limit_price=1001)
    assert pit.row("A").receipt["waits"] == "auction"
    pit.halt()
    assert pit.row("A").status == "suspended"
    pit.cancel(ALICE, "A")
    assert pit.free(ALICE) == pit.cash(ALICE)


def test_a_market_order_takes_part_at_the_days_limit():
    rules = msgspec.structs.replace(A_SHARE, fees=())
    pit = Pit(rules, phase="auction", previous_close=10_00)
    pit.open(ALICE)
    pit.open(BOB, holding=1000)
    pit.quote()
    pit.buy(ALICE, 100, tif="opg", order_id="M")
    assert pit.row("M").reserved_cash == 100 * 10_20  # the cage is the collar
    pit.sell(BOB, 100, 9_90)
    pit.phase("pre_open")
    assert [fill.price for fill in pit.audit.fills["M"]] == [10_00]


def test_after_a_restart_the_phase_that_follows_tells_the_closing_auction():
    pit = Pit(phase="auction_locked", previous_close=1000)
    pit.open(ALICE)
    pit.quote(asks=((1000, 500),))
    pit.buy(ALICE, 100, 1005, "cls", order_id="A")
    pit.do(PhaseTick(DAY, "closed", "", 0, pit.at_ns, pit.at_ns))
    assert pit.row("A").status == "filled"


@given(
    st.lists(
        st.tuples(
            st.sampled_from([ALICE, BOB, CAROL]),
            st.sampled_from(["buy", "sell"]),
            st.integers(95, 105),
            st.integers(1, 40),
        ),
        min_size=2,
        max_size=14,
    ),
    st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_whoever_is_served_was_first(orders: list, depth: int):
    """Nobody is left behind whose price is better, or equal and earlier; the books balance (Pit)."""
    pit = Pit(phase="auction", previous_close=100)
    for who in (ALICE, BOB, CAROL):
        pit.open(who, holding=1000)
    pit.quote(bids=((98, 20),) * (depth % 2), asks=((102, 20),) * (depth // 2))
    for who, side, price, qty in orders:
        pit.order(who, side, qty, price)
    pit.phase("pre_open")
    rows = [row for row in pit.audit.orders.values() if row.reason != "SELF_TRADE"]
    for one, other in itertools.permutations(rows, 2):
        if one.side != other.side or not one.filled_qty:
            continue
        sign = 1 if one.side == "buy" else -1
        before = (-other.limit_price * sign, other.priority) < (-one.limit_price * sign, one.priority)
        assert not before or other.filled_qty == other.qty
    assert len({fill.price for found in pit.audit.fills.values() for fill in found}) <= 1
