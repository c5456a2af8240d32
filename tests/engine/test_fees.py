"""Fees by the piece and fees with a ceiling."""

from __future__ import annotations

import msgspec

from market.rulebook.rules import FeeRule
from tests.engine.pit import ALICE, PLAIN, Pit
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
