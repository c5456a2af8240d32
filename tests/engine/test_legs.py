"""Orders that belong together: bracket, oto and oco, through partial fills, cancels and races."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.pit import A_SHARE, ALICE, BOB, Pit, codes, fills, stand
from trading.engine.commands import Leg

PROFIT = Leg("P", "c-P", limit_price=1050)
LOSS = Leg("L", "c-L", stop_price=950)


@pytest.fixture
def pit() -> Pit:
    pit = Pit()
    pit.open(ALICE)
    pit.open(BOB, holding=1000)
    pit.quote(bids=((990, 1000),), asks=((1010, 1000),))
    pit.trade(1000, 1)
    return pit


def bracket(pit: Pit, price: int | None = 1000, tif: str = "day", qty: int = 100, **more: Any) -> Any:
    legs = {"order_class": "bracket", "take_profit": PROFIT, "stop_loss": LOSS, **more}
    return pit.ask(ALICE, "buy", qty, price, tif, order_id="E", **legs)


def test_legs_are_held_until_the_entry_fills(pit: Pit):
    assert bracket(pit).terms.legs == ("P", "L")
    assert stand(pit, "E", "P", "L") == [("new", 100, 0), ("held", 100, 0), ("held", 100, 0)]
    assert fills(pit.trade(950, 0)) == []
    pit.sell(BOB, 100, 1000)
    assert stand(pit, "E", "P", "L") == [("filled", 100, 100), ("new", 100, 0), ("held", 100, 0)]
    assert pit.position(ALICE).held.reserved == 100  # once, not twice


def test_an_entry_at_market_is_protected_in_the_same_command(pit: Pit):
    bracket(pit, None)
    assert stand(pit, "E", "P", "L") == [("filled", 100, 100), ("new", 100, 0), ("held", 100, 0)]


def test_the_take_profit_ends_the_stop_loss(pit: Pit):
    bracket(pit, None)
    pit.quote(bids=((1050, 500),), asks=((1060, 500),))
    assert stand(pit, "P", "L") == [("filled", 100, 100), ("canceled", 100, 0)]
    assert pit.row("L").reason == "LINKED_ORDER_FILLED"
    assert pit.held(ALICE) == 0


def test_the_stop_loss_takes_the_place_of_the_take_profit(pit: Pit):
    bracket(pit, None)
    events = pit.trade(950, 10)
    assert fills(events) == [(990, 100)]
    assert stand(pit, "P", "L") == [("canceled", 100, 0), ("filled", 100, 100)]
    assert pit.row("P").reason == "LINKED_ORDER_TRIGGERED"


def test_legs_follow_the_entry_through_partial_fills(pit: Pit):
    bracket(pit)
    for sold, legs in ((30, 30), (50, 80)):
        pit.sell(BOB, sold, 1000)
        assert stand(pit, "P", "L") == [("new", legs, 0), ("held", legs, 0)]
    pit.cancel(ALICE, "E")
    assert stand(pit, "E", "P", "L") == [("canceled", 100, 80), ("new", 80, 0), ("held", 80, 0)]


def test_a_part_sold_by_one_leg_is_gone_from_the_other(pit: Pit):
    bracket(pit, None)
    pit.buy(BOB, 60, 1050)
    pit.quote(bids=((990, 1000),), asks=((1060, 1000),))
    pit.trade(1050, 60)
    assert stand(pit, "P", "L") == [("partially_filled", 100, 60), ("held", 40, 0)]
    assert fills(pit.trade(950, 10)) == [(990, 40)]
    assert stand(pit, "P", "L") == [("canceled", 100, 60), ("filled", 40, 40)]
    assert pit.held(ALICE) == 0


def test_what_is_sold_again_is_not_bought_any_more(pit: Pit):
    bracket(pit)
    pit.sell(BOB, 30, 1000)
    pit.trade(1051, 100)
    assert stand(pit, "E", "P", "L") == [("canceled", 100, 30), ("filled", 30, 30), ("canceled", 30, 0)]
    assert pit.row("E").reason == "LINKED_ORDER_FILLED"
    assert pit.free(ALICE) == pit.cash(ALICE)


def test_a_stop_loss_ends_what_is_left_of_the_entry(pit: Pit):
    bracket(pit)
    pit.sell(BOB, 30, 1000)
    pit.quote(bids=((940, 10),), asks=((1010, 1000),))
    pit.ask(BOB, "sell", 1, 1000, order_id="ahead")  # takes one more of the entry
    pit.halt()
    pit.halt(False)
    pit.trade(950, 0)
    assert stand(pit, "E", "P", "L") == [("canceled", 100, 31), ("canceled", 31, 0), ("canceled", 31, 10)]
    assert (pit.row("E").reason, pit.row("L").reason) == ("LINKED_ORDER_TRIGGERED", "NO_MORE_DEPTH")


def test_an_entry_that_ends_unfilled_takes_its_legs_along(pit: Pit):
    bracket(pit)
    pit.cancel(ALICE, "E")
    assert stand(pit, "P", "L") == [("canceled", 100, 0), ("canceled", 100, 0)]


@pytest.mark.parametrize("leg", ["P", "L"])
def test_legs_live_and_die_together(pit: Pit, leg: str):
    bracket(pit, None)
    pit.cancel(ALICE, leg)
    assert [row[0] for row in stand(pit, "P", "L")] == ["canceled", "canceled"]
    assert pit.position(ALICE).held.reserved == 0


def test_canceled_legs_leave_their_entry_alone(pit: Pit):
    bracket(pit)
    pit.cancel(ALICE, "P")
    assert stand(pit, "E", "P", "L") == [("new", 100, 0), ("canceled", 100, 0), ("canceled", 100, 0)]
    pit.sell(BOB, 100, 1000)
    assert pit.row("E").status == "filled"


def test_a_replaced_entry_takes_its_legs_along(pit: Pit):
    bracket(pit)
    pit.replace(ALICE, "E", qty=70)
    assert stand(pit, "E", "P", "L") == [("new", 70, 0), ("held", 70, 0), ("held", 70, 0)]


def test_alice_moves_her_legs_before_and_after_the_entry(pit: Pit):
    bracket(pit)
    pit.replace(ALICE, "P", limit_price=1040)
    pit.change_terms(ALICE, "L", stop_price=960)
    assert codes(pit.replace(ALICE, "P", qty=50)) == ["UNSUPPORTED"]
    pit.sell(BOB, 100, 1000)
    pit.change_terms(ALICE, "L", stop_price=970)
    pit.trade(971, 10)
    assert stand(pit, "P", "L") == [("new", 100, 0), ("held", 100, 0)]
    pit.trade(970, 10)
    assert stand(pit, "P", "L") == [("canceled", 100, 0), ("filled", 100, 100)]


def test_the_day_ends_all_of_it(pit: Pit):
    bracket(pit)
    pit.sell(BOB, 40, 1000)
    pit.phase("closed")
    assert stand(pit, "E", "P", "L") == [("expired", 100, 40), ("expired", 40, 0), ("expired", 40, 0)]


def test_legs_good_till_canceled_stay_over_night(pit: Pit):
    bracket(pit, None, "gtc")
    pit.phase("closed")
    pit.phase("continuous", day=20261103)
    pit.quote(bids=((940, 1000),), asks=((960, 1000),))
    pit.trade(945, 10)
    assert stand(pit, "P", "L") == [("canceled", 100, 0), ("filled", 100, 100)]


def test_a_frozen_portfolio_loses_all_of_it(pit: Pit):
    bracket(pit)
    pit.sell(BOB, 40, 1000)
    pit.freeze(ALICE)
    assert [row[0] for row in stand(pit, "E", "P", "L")] == ["canceled"] * 3


def test_a_halt_suspends_the_leg_that_rests_and_fires_nothing(pit: Pit):
    bracket(pit, None)
    pit.halt()
    assert stand(pit, "P", "L") == [("suspended", 100, 0), ("held", 100, 0)]
    pit.trade(940, 10)
    pit.halt(False)
    assert stand(pit, "P", "L") == [("new", 100, 0), ("held", 100, 0)]


def test_an_oto_with_a_stop_loss_alone_offers_its_holding(pit: Pit):
    pit.ask(ALICE, "buy", 100, 1000, order_id="E", order_class="oto", stop_loss=LOSS)
    for sold in (30, 70):
        pit.sell(BOB, sold, 1000)
    assert stand(pit, "L") == [("new", 100, 0)]
    assert pit.position(ALICE).held.reserved == 100
    assert fills(pit.trade(940, 10)) == [(990, 100)]


def test_an_oco_offers_one_holding_once(pit: Pit):
    pit.give(ALICE, 100)
    pit.ask(ALICE, "sell", 100, 1050, order_id="P", order_class="oco", stop_loss=LOSS)
    assert stand(pit, "P", "L") == [("new", 100, 0), ("held", 100, 0)]
    assert pit.position(ALICE).held.reserved == 100
    pit.replace(ALICE, "P", qty=60)
    assert stand(pit, "P", "L") == [("new", 60, 0), ("held", 60, 0)]
    assert fills(pit.trade(940, 10)) == [(990, 60)]
    assert stand(pit, "P", "L") == [("canceled", 60, 0), ("filled", 60, 60)]


def test_an_oco_that_trades_at_once_has_no_stop_loss_left(pit: Pit):
    pit.give(ALICE, 100)
    pit.ask(ALICE, "sell", 100, 980, order_id="P", order_class="oco", stop_loss=LOSS)
    assert stand(pit, "P", "L") == [("filled", 100, 100), ("canceled", 100, 0)]


@pytest.mark.parametrize(
    ("side", "price", "terms"),
    [
        ("sell", 1000, {"order_class": "bracket", "take_profit": PROFIT, "stop_loss": LOSS}),
        ("buy", 1000, {"order_class": "bracket", "take_profit": PROFIT}),
        ("buy", 1000, {"order_class": "oto", "take_profit": PROFIT, "stop_loss": LOSS}),
        ("buy", 1000, {"order_class": "oco", "stop_loss": LOSS}),
        ("sell", None, {"order_class": "oco", "stop_loss": LOSS}),
        ("buy", 1000, {"take_profit": PROFIT}),
        ("buy", 1000, {"order_class": "oto", "take_profit": Leg("P", "c-P")}),
        ("buy", 1000, {"order_class": "oto", "stop_loss": Leg("L", "c-L", limit_price=900)}),
    ],
)
def test_legs_that_do_not_fit_are_refused(pit: Pit, side: str, price: int | None, terms: dict[str, Any]):
    pit.give(ALICE, 100)
    assert pit.ask(ALICE, side, 100, price, **terms).reason == "UNSUPPORTED"


@pytest.mark.parametrize(("profit", "loss"), [(1000, 950), (1050, 1000), (900, 950)])
def test_the_prices_of_legs_must_enclose_the_entry(pit: Pit, profit: int, loss: int):
    legs = {"take_profit": Leg("P", "p", limit_price=profit), "stop_loss": Leg("L", "l", stop_price=loss)}
    assert bracket(pit, **legs).reason == "PRICE_OUT_OF_BAND"


def test_where_t_plus_one_holds_no_leg_could_protect():
    pit = Pit(A_SHARE, previous_close=10_00)
    pit.open(ALICE)
    pit.quote(bids=((9_90, 1000),), asks=((10_10, 1000),))
    assert bracket(pit, 10_00).reason == "UNSUPPORTED"
