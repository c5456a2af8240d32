"""What the rulebook's data says of phases, auctions and sizes, the engine does."""

from __future__ import annotations

import msgspec
import pytest

from market.rulebook.rules import Permit
from market.ticks import PhaseTick
from tests.engine.pit import A_SHARE, ALICE, BOB, CAROL, DAY, PLAIN, Pit, codes, fills, stand
from trading.engine.auction import Bid, price_of
from trading.engine.markets import Market

STAR = msgspec.structs.replace(A_SHARE, lot=1, least_qty=200, qty_max=100_000, qty_max_market=50_000)


def span(pit: Pit, phase: str, start: str, *, day: int = DAY) -> None:
    pit.do(PhaseTick(day, phase, "", 0, pit.at_ns, pit.at_ns, span=start))


# --- one venue, boards with days of their own ------------------------------------------------------


def test_a_share_that_trades_on_does_so_while_its_neighbours_are_in_the_auction():
    """Shanghai before 2018-08-20: continuous to 15:00, while Shenzhen collects orders from 14:57."""
    pit = Pit(msgspec.structs.replace(PLAIN, phases={"14:57": "continuous"}))
    pit.open(ALICE)
    span(pit, "auction_locked", "14:57")
    pit.quote(bids=((999, 10),), asks=((1000, 10),))
    assert pit.buy(ALICE, 10, 1000).status == "filled"
    resting = pit.buy(ALICE, 10, 999)
    assert codes(pit.cancel(ALICE, resting.id)) == []


@pytest.mark.parametrize(("start", "refused"), [("14:57", True), ("14:56", False)])
def test_a_board_of_its_own_keeps_its_own_no_cancel_phase(start: str, refused: bool):
    pit = Pit(msgspec.structs.replace(PLAIN, phases={"14:57": "auction_locked"}), phase="continuous")
    pit.open(ALICE)
    order = pit.buy(ALICE, 10, 1000)
    span(pit, "continuous", start)
    assert codes(pit.cancel(ALICE, order.id)) == (["MARKET_CLOSED"] if refused else [])


def test_what_a_phase_permits_is_the_rulebooks_word():
    """Shanghai takes no orders at lunch and lets none go."""
    closed = {"break": Permit(enter=False, cancel=False, match=False)}
    pit = Pit(msgspec.structs.replace(PLAIN, permits=closed))
    pit.open(ALICE)
    order = pit.buy(ALICE, 10, 1000)
    pit.phase("break")
    assert pit.buy(ALICE, 10, 1000).reason == "MARKET_CLOSED"
    assert codes(pit.cancel(ALICE, order.id)) == ["MARKET_CLOSED"]
    assert codes(pit.cancel_all(ALICE)) == ["MARKET_CLOSED"]
    pit.phase("continuous")
    assert codes(pit.cancel_all(ALICE)) == []
    assert pit.row(order.id).status == "canceled"


# --- sizes and ticks -------------------------------------------------------------------------------


@pytest.mark.parametrize(("qty", "status"), [(50_000, "filled"), (50_001, "rejected")])
def test_a_market_order_has_its_own_largest_size(qty: int, status: str):
    pit = Pit(STAR)
    pit.open(ALICE, 100_000_000_00)
    pit.quote(bids=((999, 10),), asks=((1000, 200_000),))
    assert pit.buy(ALICE, qty).status == status
    assert pit.buy(ALICE, 100_000, 1000).status == "filled"
    assert pit.buy(ALICE, 100_001, 1000).reason == "EXCEEDS_LIMIT"


@pytest.mark.parametrize(
    ("price", "refused"), [(1_0000, False), (1_0050, True), (9999, False), (5001, False), (1_0100, False)]
)
def test_below_a_dollar_prices_step_finer(price: int, refused: bool):
    """Regulation NMS rule 612, in ten-thousandths of a dollar."""
    pit = Pit(
        msgspec.structs.replace(PLAIN, price_exponent=4, tick=100, tick_small=1, tick_small_below=10_000)
    )
    pit.open(ALICE)
    assert (pit.buy(ALICE, 10, price).reason == "BAD_TICK_SIZE") is refused


def test_the_first_day_of_a_share_is_wider_upwards_than_downwards():
    rules = msgspec.structs.replace(A_SHARE, band_ppb=440_000_000, band_down_ppb=360_000_000, cage_ppb=0)
    pit = Pit(rules, previous_close=10_00)
    pit.open(ALICE)
    assert pit.engine.state.markets["NLB"].limits == (6_40, 14_40)
    assert pit.buy(ALICE, 100, 14_41).reason == "PRICE_OUT_OF_BAND"
    assert pit.buy(ALICE, 100, 14_40).status == "new"


# --- auctions choose as their venue does --------------------------------------------------------------


def pool(*levels: tuple[int, int]) -> list[Bid]:
    return [Bid(price, size, None) for price, size in levels]


TIES = [
    # bids, offers (best first), previous close, last trade, rule, opening?, price, decided by
    ([(105, 100)], [(95, 100)], 97, 103, "middle", False, 100, "middle"),
    ([(106, 100)], [(95, 100)], 97, 103, "middle", False, 101, "middle"),  # 100.5, half-up
    ([(105, 100), (100, 30)], [(95, 100)], 97, 103, "middle", False, 105, "imbalance"),
    ([(105, 100)], [(95, 100)], 97, 103, "nearest", True, 97, "reference"),
    ([(105, 100)], [(95, 100)], 97, 103, "nearest", False, 103, "reference"),
    ([(105, 150)], [(95, 100)], 97, 103, "nearest", False, 103, "reference"),
    ([(105, 150)], [(95, 100)], 97, 103, "pressure", False, 105, "pressure"),
    ([(105, 100)], [(95, 100)], 97, 103, "last_pair", False, 100, "last_pair"),
    ([(105, 150)], [(95, 100)], 97, 103, "last_pair", False, 105, "last_pair"),
    ([(105, 100)], [(95, 150)], 97, 103, "last_pair", False, 95, "last_pair"),
    ([(105, 60), (102, 60)], [(95, 50), (101, 70)], 97, 103, "last_pair", False, 102, "last_pair"),
]


@pytest.mark.parametrize(("buys", "sells", "previous", "last", "ties", "opening", "price", "why"), TIES)
def test_the_auctions_price_by_hand(buys, sells, previous, last, ties, opening, price, why):
    pit = Pit(msgspec.structs.replace(PLAIN, auction_ties=ties), previous_close=previous)
    market: Market = pit.engine.state.markets["NLB"]
    market.last_price = last
    outcome = price_of(pool(*buys), pool(*sells), market, closing=not opening)
    assert (outcome.price, outcome.decided_by) == (price, why)


# --- at the close ----------------------------------------------------------------------------------------


@pytest.fixture
def evening() -> Pit:
    """The share has closed at 10.00, and orders at the close may enter."""
    pit = Pit(STAR, previous_close=10_00)
    for who in (ALICE, BOB, CAROL):
        pit.open(who, holding=1000)
    pit.quote(bids=((9_99, 500),), asks=((10_01, 500),))
    pit.trade(10_00, 300)
    return pit


def test_after_hours_players_meet_at_the_close_in_order_of_time(evening: Pit):
    pit = evening
    pit.phase("after_hours_quiet")
    first = pit.sell(ALICE, 300, 9_90)
    second = pit.sell(BOB, 300, 9_95)
    assert (first.status, first.receipt["waits"]) == ("new", "after_hours")
    assert codes(pit.cancel(ALICE, first.id)) == ["MARKET_CLOSED"]
    buy = pit.buy(CAROL, 400, 10_40)
    assert fills(pit.events) == []
    pit.phase("after_hours")
    assert set(fills(pit.events)) == {(10_00, 300), (10_00, 100)}
    assert stand(pit, first.id, second.id, buy.id) == [
        ("filled", 300, 300), ("partially_filled", 300, 100), ("filled", 400, 400)
    ]  # fmt: skip
    assert codes(pit.cancel(BOB, second.id)) == []


def test_who_does_not_take_the_close_gets_nothing(evening: Pit):
    pit = evening
    pit.phase("after_hours")
    pit.sell(ALICE, 300, 10_01)
    assert pit.buy(BOB, 300, 10_02).status == "new"
    pit.trade(10_00, 500)
    assert pit.row("o2").status == "filled"  # the venue traded at the close: a share of that
    assert pit.row("o1").status == "new"
    pit.phase("closed")
    assert pit.row("o1").status == "expired"


def test_orders_of_the_session_end_with_it_and_only_plain_limits_enter_after_hours(evening: Pit):
    pit = evening
    day = pit.buy(ALICE, 300, 9_99)
    kept = pit.buy(BOB, 300, 9_98, "gtc")
    pit.phase("after_hours_quiet")
    assert (pit.row(day.id).status, pit.row(kept.id).status) == ("expired", "new")
    assert pit.buy(CAROL, 300).reason == "MARKET_CLOSED"
    assert pit.buy(CAROL, 300, 10_00, "ioc").reason == "MARKET_CLOSED"
    assert pit.ask(CAROL, "buy", 300, 10_00, post_only=True).reason == "MARKET_CLOSED"
    pit.phase("after_hours")
    pit.trade(9_97, 1000)
    assert pit.row(kept.id).status == "new"
    pit.phase("closed")
    pit.phase("continuous", day=DAY + 1)
    pit.trade(9_97, 1000)
    assert pit.row(kept.id).status == "filled"


def test_nobody_meets_himself_at_the_close(evening: Pit):
    pit = evening
    pit.phase("after_hours")
    pit.sell(ALICE, 300, 10_00)
    own = pit.buy(ALICE, 300, 10_00)
    assert (own.status, own.reason) == ("canceled", "SELF_TRADE")


def test_an_order_at_the_close_may_be_changed_and_halted(evening: Pit):
    pit = evening
    pit.phase("after_hours")
    order = pit.sell(ALICE, 300, 10_20)
    pit.halt()
    pit.buy(BOB, 300, 10_00)
    pit.halt(False)
    pit.replace(ALICE, order.id, limit_price=10_00)
    assert pit.row(order.id).status in ("new", "filled")
    assert pit.buy(CAROL, 300, 10_00).status in ("new", "filled")
    assert pit.held(ALICE) == 700
