"""Phases, pauses, halts, freezes, the day's roll, and rules that change under resting orders."""

from __future__ import annotations

import pytest

from market.rulebook.rules import FeeRule
from tests.engine.pit import A_SHARE, ALICE, BOB, CAROL, DAY, Pit, codes, fills, queue
from trading.engine.events import FillRow, Notice, OrderRow, PortfolioRow


@pytest.fixture
def pit() -> Pit:
    pit = Pit()
    for who in (ALICE, BOB):
        pit.open(who, holding=1_000)
    pit.quote(bids=((990, 100),), asks=((1000, 100),))
    return pit


@pytest.mark.parametrize(
    ("phase", "enters", "cancels"),
    [
        ("pre_open", False, True),
        ("auction", True, True),
        ("auction_locked", True, False),
        ("continuous", True, True),
        ("break", True, True),
        ("closed", False, True),
        ("a phase nobody knows", False, True),
    ],
)
def test_each_phase_lets_in_and_out_what_it_says(pit: Pit, phase: str, enters: bool, cancels: bool):
    pit.buy(ALICE, 10, 980, "gtc", order_id="X")
    pit.phase(phase)
    order = pit.buy(BOB, 10, 980)
    assert (order.status, order.reason) == (("new", "") if enters else ("rejected", "MARKET_CLOSED"))
    assert codes(pit.cancel(ALICE, "X")) == ([] if cancels else ["MARKET_CLOSED"])


def test_before_the_clock_is_known_nothing_enters(pit: Pit):
    fresh = Pit(phase="")
    fresh.open(ALICE)
    assert fresh.buy(ALICE, 1, 1).reason == "MARKET_CLOSED"


@pytest.mark.parametrize(("price", "tif"), [(None, "day"), (1000, "ioc"), (1000, "fok")])
def test_an_order_for_now_needs_a_phase_that_matches(pit: Pit, price: int | None, tif: str):
    pit.phase("break")
    assert pit.buy(ALICE, 10, price, tif).reason == "MARKET_CLOSED"


def test_orders_of_the_break_arrive_in_order_of_time_when_trading_begins(pit: Pit):
    pit.phase("break")
    first = pit.buy(ALICE, 60, 1000)
    assert (first.receipt["waits"], first.receipt["rule"]["name"]) == ("phase", "phase")
    pit.buy(BOB, 60, 1001)  # a better price, but later

    pit.phase("continuous")

    got = [(e.portfolio, e.price, e.qty) for e in pit.events if isinstance(e, FillRow)]
    assert got == [(ALICE, 1000, 60), (BOB, 1000, 40)]  # both as takers, at what is displayed
    assert (pit.row("o2").status, pit.row("o2").filled_qty) == ("partially_filled", 40)


def test_crossed_orders_of_the_break_meet_at_the_price_of_the_earlier(pit: Pit):
    pit.phase("auction")
    pit.sell(ALICE, 50, 985)
    pit.buy(BOB, 50, 995)
    pit.quote(bids=((980, 1),), asks=((1000, 1),))
    pit.phase("continuous")
    assert fills(pit.events) == [(985, 50), (985, 50)]


def test_an_order_of_the_break_takes_its_place_behind_what_is_displayed_then(pit: Pit):
    pit.phase("break")
    pit.buy(ALICE, 10, 990)
    assert queue(pit, "o1") == 0
    events = pit.phase("continuous")
    assert queue(pit, "o1") == 100
    assert [e.exec_type for e in events if isinstance(e, OrderRow)] == ["restated"]
    assert "waits" not in pit.row("o1").receipt


def test_a_paused_world_takes_orders_and_fills_none(pit: Pit):
    pit.phase("continuous", paused=True)
    assert pit.buy(ALICE, 10, 1000).status == "new"
    assert pit.quote(bids=((990, 100),), asks=((900, 100),)) == []
    pit.phase("continuous")
    assert fills(pit.events) == [(900, 10)]


def test_day_orders_end_when_the_market_closes_and_gtc_orders_stay(pit: Pit):
    pit.buy(ALICE, 10, 980, "day")
    pit.buy(ALICE, 10, 980, "gtc")
    pit.phase("closed")
    assert (pit.row("o1").status, pit.row("o1").reason) == ("expired", "DAY_ENDED")
    assert pit.row("o2").status == "new"


def test_day_orders_end_at_the_roll_where_the_market_never_closes(pit: Pit):
    pit.buy(ALICE, 10, 980, "day")
    pit.buy(ALICE, 10, 980, "gtc")
    pit.phase("continuous", day=DAY + 1)
    assert [pit.row(name).status for name in ("o1", "o2")] == ["expired", "new"]


def test_a_gtc_order_that_becomes_a_day_order_ends_with_that_day(pit: Pit):
    pit.buy(ALICE, 10, 980, "gtc", order_id="X")
    pit.phase("continuous", day=DAY + 1)
    pit.replace(ALICE, "X", time_in_force="day")
    assert pit.row("X").status == "new"
    pit.phase("continuous", day=DAY + 2)
    assert pit.row("X").status == "expired"


def test_the_roll_begins_the_days_figures_again(pit: Pit):
    pit.buy(ALICE, 100, 1000)
    position = pit.position(ALICE)
    assert (position.day_cash, position.day_start_qty) == (-1_000_00, 1_000)
    pit.phase("continuous", day=DAY + 1)
    assert (position.day_cash, position.day_start_qty, position.market_day) == (0, 1_100, DAY + 1)
    assert pit.phase("continuous", day=DAY + 2) == []  # nothing happened: nothing to write


def test_the_clock_ticking_changes_nothing(pit: Pit):
    pit.buy(ALICE, 10, 980)
    assert pit.phase("continuous") == []


def test_a_halt_suspends_and_a_resumption_takes_up(pit: Pit):
    pit.buy(ALICE, 10, 995)
    reserved = pit.row("o1").reserved_cash
    events = pit.halt()
    assert [e.code for e in events if isinstance(e, Notice)] == ["HALTED"]
    assert (pit.row("o1").status, pit.row("o1").reserved_cash) == ("suspended", reserved)
    assert pit.buy(BOB, 10, 995).reason == "HALTED"
    assert pit.quote(bids=((980, 10),), asks=((985, 100),)) == []
    assert pit.halt() == []
    pit.halt(False)
    assert pit.row("o1").status == "filled"


def test_a_suspended_day_order_still_ends_with_its_day(pit: Pit):
    pit.buy(ALICE, 10, 980)
    pit.halt()
    pit.phase("continuous", day=DAY + 1)
    assert pit.row("o1").status == "expired"


def test_a_frozen_portfolio_loses_its_open_orders_and_places_none(pit: Pit):
    pit.buy(ALICE, 10, 980)
    events = pit.freeze(ALICE)
    assert [e.status for e in events if isinstance(e, PortfolioRow)] == ["frozen"]
    assert (pit.row("o1").status, pit.row("o1").reason) == ("canceled", "ACCOUNT_FROZEN")
    assert pit.buy(ALICE, 10, 980).reason == "ACCOUNT_FROZEN"
    pit.freeze(ALICE, False)
    assert pit.buy(ALICE, 10, 980).status == "new"


def test_new_limits_cancel_what_lies_outside(pit: Pit):
    pit.buy(ALICE, 10, 900)
    pit.buy(ALICE, 10, 960)
    pit.reference(1000, 950, 1050)
    assert (pit.row("o1").status, pit.row("o1").reason) == ("canceled", "PRICE_OUT_OF_BAND")
    assert pit.row("o2").status == "new"


def test_a_larger_tick_cancels_what_no_longer_fits(pit: Pit):
    pit.buy(ALICE, 10, 903)
    pit.buy(ALICE, 10, 905)
    pit.rules(tick=5)
    assert [pit.row(name).status for name in ("o1", "o2")] == ["canceled", "new"]
    assert pit.row("o1").reason == "BAD_TICK_SIZE"


def test_dearer_fees_hold_back_more_and_cancel_what_alice_cannot_pay():
    pit = Pit()
    pit.open(ALICE, 250_00)
    pit.quote(bids=((900, 1),), asks=((1100, 1),))
    pit.buy(ALICE, 10, 1000)  # 100.00
    pit.buy(ALICE, 10, 1000)
    pit.rules(fees=(FeeRule("commission", "both", 0, 30_00, ""),))
    assert pit.row("o1").reserved_cash == 130_00
    assert (pit.row("o2").status, pit.row("o2").reason) == ("canceled", "INSUFFICIENT_CASH")


def test_what_would_change_the_meaning_of_old_rows_is_refused(pit: Pit):
    assert codes(pit.rules(price_exponent=3)) == ["UNSUPPORTED"]
    assert codes(pit.rules(lock_days=2)) == ["UNSUPPORTED"]
    assert pit.engine.state.markets["NLB"].rules.price_exponent == 2


def test_an_instrument_that_cannot_be_traded_says_why(pit: Pit):
    pit.rules(tradable=False, why_not_tradable="Suspended for an announcement.")
    refused = pit.buy(ALICE, 10, 980)
    assert (refused.reason, refused.receipt["detail"]) == ("NOT_TRADABLE", "Suspended for an announcement.")


def test_bought_yesterday_offered_today():
    pit = Pit(A_SHARE, previous_close=1000)
    pit.open(CAROL)
    pit.quote(bids=((995, 500),), asks=((1000, 500),))
    pit.buy(CAROL, 300, 1000)
    pit.phase("closed")
    pit.phase("auction", day=DAY + 1)
    assert pit.sell(CAROL, 300, 1000).status == "new"
    assert pit.position(CAROL).sellable == 0
