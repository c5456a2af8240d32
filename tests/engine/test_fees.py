"""Fees by the piece, fees with a ceiling, fees of makers and takers."""

from __future__ import annotations

import msgspec

from market.rulebook.rules import FeeRule
from tests.engine.pit import ALICE, BOB, PLAIN, Pit
from trading.engine.commands import NewOrder
from trading.engine.events import FillRow

# 3.01 a contract; and, as FINRA's TAF in 2026, 0.000195 a share sold, at most 9.79 an order.
PER_LOT = msgspec.structs.replace(PLAIN, fees=(FeeRule("commission", "both", 0, 0, "", 301_000_000_000),))
TAF = msgspec.structs.replace(PLAIN, fees=(FeeRule("taf", "sell", 0, 0, "taf", 19_500_000, 9_79),))


def charged(pit: Pit) -> list[int]:
    return [event.fee for event in pit.events if isinstance(event, FillRow)]


def test_alice_pays_by_the_contract_over_all_fills_of_the_order():
    pit = Pit(PER_LOT)
    pit.open(ALICE)
    pit.quote(bids=((1_00, 5),), asks=((2_00, 3), (2_01, 9)))
    order = pit.buy(ALICE, 10, 2_01)
    assert (charged(pit), order.fees) == ([9_03, 21_07], 30_10)
    assert order.reserved_cash == 0


def test_a_buy_holds_the_fee_of_every_piece_it_may_still_get():
    pit = Pit(PER_LOT)
    pit.open(ALICE)
    pit.quote(bids=((1_00, 5),), asks=((2_00, 3),))
    order = pit.buy(ALICE, 10, 2_00)
    assert order.reserved_cash == 7 * 2_00 + 7 * 3_01


def test_a_fee_with_a_ceiling_stops_there():
    pit = Pit(TAF)
    pit.open(ALICE, holding=200_000)
    pit.quote(bids=((10_00, 40_000), (9_99, 60_000)), asks=((10_01, 5),))
    pit.sell(ALICE, 100_000, 9_99)
    assert charged(pit) == [7_80, 1_99]  # 40,000 x 0.0195 cents = 7.80; all of it would be 19.50


# OKX, regular user: 0.08 % for those who rest, 0.1 % for those who take.
TWO_ROLES = msgspec.structs.replace(
    PLAIN,
    fees=(
        FeeRule("commission", "both", 800_000, 0, "okx.maker", role="maker"),
        FeeRule("commission", "both", 1_000_000, 0, "okx.taker", role="taker"),
    ),
)


def test_bob_who_takes_pays_the_takers_rate_and_alice_who_rested_the_makers():
    pit = Pit(TWO_ROLES)
    pit.open(ALICE, holding=1_000)
    pit.open(BOB)
    pit.quote(bids=((9_00, 5),), asks=((11_00, 5),))
    rested = pit.sell(ALICE, 500, 10_00)
    took = pit.buy(BOB, 500, 10_00)
    assert (took.fees, pit.row(rested.id).fees) == (5_00, 4_00)  # of 5,000.00
    lines = [event.receipt["fees"][0] for event in pit.events if isinstance(event, FillRow)]
    assert [(line["role"], line["rate_ppb"], line["row"]) for line in lines] == [
        ("taker", 1_000_000, "okx.taker"),
        ("maker", 800_000, "okx.maker"),
    ]


def test_who_takes_what_there_is_and_rests_with_the_rest_pays_each_fill_by_what_it_did():
    pit = Pit(TWO_ROLES)
    pit.open(ALICE)
    pit.quote(bids=((9_00, 5),), asks=((10_00, 300),))
    order = pit.buy(ALICE, 700, 10_00)
    assert order.fees == 3_00  # 0.1 % of 3,000.00
    assert order.reserved_cash == 4_000_00 + 4_00  # the dearer of the two: nobody knows how it will be filled
    pit.trade(9_99, 100)
    pit.quote(bids=((9_00, 5),), asks=((9_98, 300),))
    assert charged(pit) == [3_00, 80, 2_40]
    assert pit.row(order.id).status == "filled"
    assert pit.free(ALICE) == pit.cash(ALICE) == 1_000_000_00 - 7_000_00 - 6_20


def test_small_fills_are_rounded_down_one_by_one_and_never_cost_more_than_was_held():
    pit = Pit(TWO_ROLES)
    pit.open(ALICE, cash=100_10)
    pit.quote(bids=((90, 5),), asks=((1_01, 5),))
    order = pit.buy(ALICE, 100, 1_00)
    assert order.reserved_cash == 100_10
    for _ in range(100):
        pit.trade(99, 1)
    assert pit.row(order.id).status == "filled"
    assert (pit.row(order.id).fees, pit.cash(ALICE)) == (0, 10)  # 0.08 cents a fill


def test_the_preview_names_the_fee_that_is_charged():
    pit = Pit(TWO_ROLES)
    pit.open(ALICE)
    pit.quote(bids=((9_00, 5),), asks=((10_00, 333), (10_01, 333)))
    asked = NewOrder(ALICE, "P", "P", pit.symbol, "buy", "limit", "day", 666, 10_01, 0)
    seen = pit.engine.preview(asked, pit.at_ns)
    order = pit.buy(ALICE, 666, 10_01)
    assert (seen["fee"], [line["amount"] for line in seen["fees"]]) == (order.fees, [order.fees])
