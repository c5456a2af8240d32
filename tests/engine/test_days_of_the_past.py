"""Worlds of the past charge their day's fees and keep their day's bands and phases."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from market import rulebook
from market.ticks import PhaseTick
from tests.engine.pit import ALICE, BOB, DAY, Pit, codes
from tests.market.test_dated_rules import Thing
from trading.engine.events import FillRow

LISTED = Thing(symbol="NLB", lot=100)


def pit_on(day: str, thing: Thing = LISTED, *, previous_close: int = 10_00) -> Pit:
    """The venue on that day: Alice has money, Bob shares; 9.99 is bid and 10.00 offered."""
    book = rulebook.by_venue()[thing.venue]
    pit = Pit(book.rules_for(thing, date.fromisoformat(day)), previous_close=previous_close)
    pit.open(ALICE, currency=thing.currency)
    pit.open(BOB, holding=10_000, currency=thing.currency)
    pit.quote(bids=((9_99, 5_000),), asks=((10_00, 5_000),))
    return pit


def fees(pit: Pit) -> list[dict[str, int]]:
    return [dict(event.fees) for event in pit.events if isinstance(event, FillRow)]


CHARGED = [
    # 1,000 bought at 10.00 and 1,000 sold at 9.99: commission 5.00 each
    ("2007-05-29", {"transfer_fee": 1_00, "stamp_duty": 10_00}, {"transfer_fee": 1_00, "stamp_duty": 9_99}),
    ("2007-05-30", {"transfer_fee": 1_00, "stamp_duty": 30_00}, {"transfer_fee": 1_00, "stamp_duty": 29_97}),
    ("2015-07-08", {"transfer_fee": 30}, {"transfer_fee": 30, "stamp_duty": 9_99}),
    ("2015-08-03", {"transfer_fee": 20}, {"transfer_fee": 20, "stamp_duty": 9_99}),
    ("2023-08-25", {"transfer_fee": 10}, {"transfer_fee": 10, "stamp_duty": 9_99}),
    ("2023-08-28", {"transfer_fee": 10}, {"transfer_fee": 10, "stamp_duty": 5_00}),  # 4.995, half up
]


@pytest.mark.parametrize(("day", "bought", "sold"), CHARGED)
def test_a_world_charges_its_days_fees(day: str, bought: dict[str, int], sold: dict[str, int]):
    pit = pit_on(day)
    pit.buy(ALICE, 1000, 10_00)
    pit.sell(BOB, 1000, 9_99)
    assert fees(pit) == [{"commission": 5_00, **bought}, {"commission": 5_00, **sold}]


@pytest.mark.parametrize(
    ("day", "thing", "highest"),
    [
        ("2015-07-08", LISTED, 11_00),
        ("2026-07-03", replace(LISTED, special_treatment=True), 10_50),
        ("2026-07-06", replace(LISTED, special_treatment=True), 11_00),
        ("2020-08-21", replace(LISTED, venue="SZSE", board="chinext"), 11_00),
        ("2014-06-13", replace(LISTED, listed_on=date(2014, 6, 13)), 14_40),
    ],
)
def test_a_world_keeps_its_days_band(day: str, thing: Thing, highest: int):
    pit = pit_on(day, thing)
    pit.quote()  # nobody offers: a buy may wait at any price of the band
    assert pit.buy(ALICE, 100, highest + 1).reason == "PRICE_OUT_OF_BAND"
    if day < "2020-08-24":  # before there were price cages
        assert pit.buy(ALICE, 100, highest).status == "new"


@pytest.mark.parametrize(("venue", "refused"), [("SSE", []), ("SZSE", ["MARKET_CLOSED"])])
def test_at_two_minutes_to_three_in_2015_shanghai_trades_on(venue: str, refused: list[str]):
    pit = pit_on("2015-07-08", replace(LISTED, venue=venue))
    order = pit.buy(ALICE, 100, 9_98)
    pit.do(PhaseTick(DAY, "continuous", "", 0, pit.at_ns, pit.at_ns, span="14:57"))
    assert codes(pit.cancel(ALICE, order.id)) == refused
