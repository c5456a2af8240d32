"""The rules of an A-share, each with the numbers a player would check."""

from __future__ import annotations

import msgspec
import pytest

from tests.engine.pit import A_SHARE, ALICE, BOB, DAY, STAR, Pit
from trading.engine import prices
from trading.engine.commands import SetRules
from trading.engine.events import FillRow

PREVIOUS = 10_00


@pytest.fixture
def pit() -> Pit:
    pit = Pit(A_SHARE, previous_close=PREVIOUS)
    pit.open(ALICE)
    pit.open(BOB, holding=10_000)
    pit.quote(bids=((9_99, 5_000),), asks=((10_00, 5_000),))
    return pit


def test_what_alice_buys_today_she_may_sell_tomorrow(pit: Pit):
    pit.buy(ALICE, 1000, 10_00)

    refused = pit.sell(ALICE, 500, 9_99)
    assert (refused.status, refused.reason) == ("rejected", "INSUFFICIENT_SELLABLE")
    assert "bought today" in refused.receipt["detail"]
    assert "T+1" in refused.receipt["detail"]
    assert refused.receipt["facts"] == {
        "qty": 500,
        "held": 1000,
        "bought_today": 1000,
        "reserved_qty": 0,
        "sellable": 0,
    }
    assert refused.receipt["rule"]["row"] == "lock.main"

    pit.phase("continuous", day=DAY + 1)
    pit.quote(bids=((9_99, 5_000),), asks=((10_00, 5_000),))
    assert pit.sell(ALICE, 1000, 9_99).status == "filled"


def test_of_a_risk_warned_share_there_is_a_most_to_buy_in_a_day(pit: Pit):
    """3,000 a day: what is bought and what is asked for count together, of one portfolio."""
    pit.do(SetRules(msgspec.structs.replace(A_SHARE, day_buys_max=3_000)))
    pit.buy(ALICE, 1_000, 10_00)
    pit.buy(ALICE, 1_500, 9_90, order_id="rests")
    refused = pit.buy(ALICE, 600, 9_90)
    assert (refused.status, refused.reason) == ("rejected", "EXCEEDS_LIMIT")
    assert refused.receipt["detail"] == (
        "You may buy at most 3000 NLB a day; 2500 are bought or asked for already."
    )
    assert pit.replace(ALICE, "rests", qty=2_100)[-1].code == "EXCEEDS_LIMIT"
    assert pit.buy(ALICE, 500, 9_90).status == "new"
    assert pit.buy(BOB, 3_000, 9_90).status == "new"
    pit.phase("continuous", day=DAY + 1)
    pit.quote(bids=((9_99, 5_000),), asks=((10_00, 5_000),))
    assert pit.buy(ALICE, 600, 9_90).status == "new"


def test_the_text_tells_what_is_already_on_offer(pit: Pit):
    pit.give(ALICE, 3000)
    pit.buy(ALICE, 3000, 10_00)
    pit.sell(ALICE, 1200, 10_50)
    detail = pit.sell(ALICE, 3000, 10_50).receipt["detail"]
    assert detail == (
        "You can sell 1800 NLB now. Of your 6000, 3000 were bought today and rest until tomorrow (T+1)"
        " and 1200 are already on offer."
    )


def test_the_text_without_t_plus_one_speaks_only_of_the_holding(pit: Pit):
    assert pit.sell(ALICE, 100, 10_50).receipt["detail"] == "You can sell 0 NLB now. You hold 0 NLB."
    pit.sell(BOB, 9_000, 10_50)
    detail = pit.sell(BOB, 1_100, 10_50).receipt["detail"]
    assert detail == "You can sell 1000 NLB now. Of your 10000, 9000 are already on offer."


@pytest.mark.parametrize(
    ("qty", "status"), [(100, "filled"), (150, "rejected"), (99, "rejected"), (300, "filled")]
)
def test_buys_come_in_whole_lots(pit: Pit, qty: int, status: str):
    assert pit.buy(ALICE, qty, 10_00).status == status


@pytest.mark.parametrize(
    ("qty", "status"),
    [(50, "filled"), (250, "filled"), (150, "filled"), (200, "filled"), (30, "rejected"), (130, "rejected")],
)
def test_the_odd_remainder_is_sold_in_one_order(pit: Pit, qty: int, status: str):
    pit.give(ALICE, 250)
    assert pit.sell(ALICE, qty, 9_99).status == status


def test_the_odd_remainder_is_sold_once(pit: Pit):
    pit.give(ALICE, 250)
    assert pit.sell(ALICE, 50, 10_50).status == "new"
    assert pit.sell(ALICE, 50, 10_50).reason == "BAD_QTY_OR_LOT"
    assert pit.sell(ALICE, 200, 10_50).status == "new"


@pytest.mark.parametrize(
    ("side", "qty", "status"),
    [("buy", 199, "rejected"), ("buy", 200, "filled"), ("buy", 201, "filled"), ("sell", 201, "filled"),
     ("sell", 150, "rejected"), ("sell", 350, "filled")],
)  # fmt: skip
def test_star_shares_start_at_200_and_go_by_one(side: str, qty: int, status: str):
    pit = Pit(STAR, previous_close=PREVIOUS)
    pit.open(ALICE, holding=350)
    pit.quote(bids=((10_00, 5_000),), asks=((10_00, 5_000),))
    assert pit.order(ALICE, side, qty, 10_00).status == status


def test_a_star_holding_below_200_is_sold_whole():
    pit = Pit(STAR, previous_close=PREVIOUS)
    pit.open(ALICE, holding=150)
    pit.quote(bids=((10_00, 5_000),))
    assert pit.sell(ALICE, 149, 10_00).reason == "BAD_QTY_OR_LOT"
    assert pit.sell(ALICE, 150, 10_00).status == "filled"


@pytest.mark.parametrize(
    ("previous", "ppb", "limits"),
    [
        (1000, 100_000_000, (900, 1100)),
        (105, 100_000_000, (95, 116)),  # 1.155 → 1.16 and 0.945 → 0.95: halves go up
        (1155, 100_000_000, (1040, 1271)),  # 12.705 → 12.71, 10.395 → 10.40
        (333, 200_000_000, (266, 400)),
        (4, 100_000_000, (3, 5)),  # the rounding would leave no room: one tick
        (1, 100_000_000, (1, 2)),  # never down to nothing
        (1000, 50_000_000, (950, 1050)),
    ],
)
def test_the_band_rounds_halves_up(previous: int, ppb: int, limits: tuple[int, int]):
    assert prices.band(previous, ppb, 1, ppb) == limits


def test_the_band_keeps_to_the_tick():
    assert prices.band(1003, 100_000_000, 5, 100_000_000) == (905, 1105)


@pytest.mark.parametrize(
    ("price", "refused"),
    [(9_00, False), (8_99, True), (11_00, False), (11_01, True)],
)
def test_no_price_beyond_the_days_limits(price: int, refused: bool):
    pit = Pit(A_SHARE, previous_close=PREVIOUS, phase="break")  # no cage in a break
    pit.open(ALICE)
    order = pit.buy(ALICE, 100, price)
    assert (order.reason == "PRICE_OUT_OF_BAND") is refused
    if refused:
        assert order.receipt["facts"] == {"price": price, "limit_low": 9_00, "limit_high": 11_00}
        assert order.receipt["rule"]["row"] == "band.main"


def test_limits_that_the_reference_states_come_before_the_rule():
    pit = Pit(A_SHARE, phase="break")
    pit.open(ALICE)
    pit.reference(PREVIOUS, 9_50, 10_50)
    assert pit.buy(ALICE, 100, 10_51).reason == "PRICE_OUT_OF_BAND"
    assert pit.buy(ALICE, 100, 10_50).status == "new"


@pytest.mark.parametrize(
    ("side", "price", "refused"),
    [("buy", 10_20, False), ("buy", 10_21, True), ("sell", 9_79, False), ("sell", 9_78, True)],
)
def test_the_cage_is_two_percent_from_the_best_price(pit: Pit, side: str, price: int, refused: bool):
    order = pit.order(BOB, side, 100, price)
    assert (order.reason == "PRICE_OUT_OF_BAND") is refused
    if refused:
        assert order.receipt["rule"]["row"] == "cage.main"
        assert order.receipt["facts"]["cage"] == (10_20 if side == "buy" else 9_79)


def test_the_cage_of_a_cheap_share_is_ten_ticks():
    pit = Pit(A_SHARE, previous_close=2_00)
    pit.open(ALICE)
    pit.quote(bids=((1_99, 100),), asks=((2_00, 100),))
    assert pit.buy(ALICE, 100, 2_11).reason == "PRICE_OUT_OF_BAND"
    assert pit.buy(ALICE, 100, 2_10).status == "filled"


def test_without_an_ask_the_cage_is_measured_from_the_bid_and_then_the_last_price():
    pit = Pit(A_SHARE, previous_close=PREVIOUS)
    pit.open(ALICE)
    pit.quote(bids=((10_50, 100),))
    assert pit.buy(ALICE, 100, 10_72).reason == "PRICE_OUT_OF_BAND"  # 10.50 x 1.02 = 10.71
    assert pit.buy(ALICE, 100, 10_71).status == "new"
    pit.quote()
    assert pit.buy(ALICE, 100, 10_21).reason == "PRICE_OUT_OF_BAND"  # from the previous close
    pit.trade(10_10, 100)
    assert pit.buy(ALICE, 100, 10_30).status == "new"  # 10.10 x 1.02 = 10.302


def test_the_minimum_commission_is_taken_once_per_order(pit: Pit):
    """1,000.00 at 0.025 % is 0.25, so 5.00; four more fills of 1,000.00 are still below 20,000.00."""
    pit.quote(bids=((9_00, 100),), asks=((10_00, 100),))
    pit.buy(ALICE, 500, 10_00, order_id="X")
    for _ in range(4):
        pit.trade(10_00, 100, "sell")
    charged = [dict(e.fees) for e in pit.events if isinstance(e, FillRow)]
    assert charged == [
        {"commission": 5_00, "transfer": 1},
        {"commission": 0, "transfer": 1},
        {"commission": 0, "transfer": 1},
        {"commission": 0, "transfer": 1},
        {"commission": 0, "transfer": 1},
    ]
    assert pit.row("X").fees == 5_05
    assert pit.cash(ALICE) == 1_000_000_00 - 5_000_00 - 5_05


def test_above_the_minimum_the_commission_is_the_rate_of_the_whole_order(pit: Pit):
    pit.quote(bids=((9_00, 100),), asks=((10_00, 1_500), (10_01, 1_500)))
    order = pit.buy(ALICE, 3_000, 10_01)
    # 15,000.00 at 0.025 % is 3.75: 5.00. The whole, 30,015.00, is 7.50; so the second fill pays 2.50.
    charged = [dict(e.fees)["commission"] for e in pit.events if isinstance(e, FillRow)]
    assert (charged, order.filled_cash) == ([5_00, 2_50], 30_015_00)
    assert order.fees == 7_50 + 30  # transfer 0.30


def test_stamp_duty_is_for_sells_only(pit: Pit):
    pit.buy(ALICE, 1000, 10_00)
    pit.sell(BOB, 1000, 9_99)
    bought, sold = [dict(e.fees) for e in pit.events if isinstance(e, FillRow)]
    assert bought == {"commission": 5_00, "transfer": 10}
    assert sold == {"commission": 5_00, "transfer": 10, "stamp": 5_00}  # 9,990.00 x 0.05 % = 4.995 → 5.00


def test_a_sell_never_costs_more_than_it_brings():
    pit = Pit(A_SHARE)
    pit.open(ALICE, 0, holding=300)
    pit.quote(bids=((1, 100),), asks=((2, 100),))
    order = pit.sell(ALICE, 200, 1)  # brings 1.00: the commission takes it all, and no more
    assert (order.fees, pit.cash(ALICE)) == (1_00, 0)
    pit.trade(1, 100, "buy")  # the rest brings another 1.00, and the commission is still owed
    assert (pit.row(order.id).fees, pit.cash(ALICE)) == (2_00, 0)


def test_a_buy_holds_the_worst_price_and_the_fees_on_it(pit: Pit):
    order = pit.buy(ALICE, 1000, 9_90)
    assert order.reserved_cash == 9_900_00 + 5_00 + 10
    assert pit.free(ALICE) == 1_000_000_00 - 9_905_10


def test_it_refuses_alice_when_cash_is_short_by_a_cent():
    pit = Pit(A_SHARE, previous_close=PREVIOUS)
    pit.open(ALICE, 9_905_09)
    pit.quote(bids=((9_80, 100),), asks=((10_00, 100),))
    refused = pit.buy(ALICE, 1000, 9_90)
    assert refused.reason == "INSUFFICIENT_CASH"
    assert (refused.receipt["facts"]["needed"], refused.receipt["facts"]["free"]) == (9_905_10, 9_905_09)
    pit.give(ALICE, 1, "CNY")
    assert pit.buy(ALICE, 1000, 9_90).status == "new"


def test_a_market_order_is_bound_by_the_cage_and_the_band():
    pit = Pit(A_SHARE, previous_close=PREVIOUS)
    pit.open(ALICE)
    pit.quote(bids=((10_80, 100),), asks=((10_90, 100), (11_00, 100)))
    assert pit.buy(ALICE, 300).receipt["collar"] == 11_00  # 10.90 x 1.02 = 11.12, but the limit is 11.00
