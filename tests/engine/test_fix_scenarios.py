"""Scenarios of the FIX order state change matrices, line by line: OrdStatus, OrderQty, CumQty, LeavesQty.

Names are those of appendix D: FIX 4.2 (D1 … D16, D27, D29, D34), with the group of FIX 5.0 SP2 (A.1.a …).
One writer decides each request in one step, so there is no pending line: what crosses on the wire is
decided by who came first. Requests that the matrices let a broker reject are refused where the rule says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.engine import undo
from tests.engine.pit import ALICE, BOB, DAY, Pit, codes
from trading.engine.events import FillRow

Line = tuple[str, int, int, int]  # OrdStatus, OrderQty, CumQty, LeavesQty
Scenario = list[tuple[Callable[[Pit], Any], "Line | str"]]


def line(pit: Pit) -> Line:
    row = pit.row("X")
    leaves = row.qty - row.filled_qty if row.status in ("new", "partially_filled", "suspended") else 0
    return row.status, row.qty, row.filled_qty, leaves


def new(qty: int = 10_000, tif: str = "day", price: int = 1000) -> Callable[[Pit], Any]:
    return lambda pit: pit.buy(ALICE, qty, price, tif, order_id="X")


def fill(qty: int, price: int = 1000) -> Callable[[Pit], Any]:
    return lambda pit: pit.sell(BOB, qty, price)


def replace(**changes: Any) -> Callable[[Pit], Any]:
    return lambda pit: pit.replace(ALICE, "X", **changes)


def cancel(pit: Pit) -> Any:
    return pit.cancel(ALICE, "X")


def close_market(pit: Pit) -> Any:
    return pit.phase("closed")


def bust_the_first(pit: Pit) -> Any:
    first = next(event for event in pit.events if isinstance(event, FillRow))
    return pit.do(undo.bust(pit, [first], 1000))


def next_day(pit: Pit) -> Any:
    pit.phase("continuous", day=DAY + 1)
    return pit.quote(bids=((900, 1),), asks=((1100, 1),))


SCENARIOS: dict[str, Scenario] = {
    "D1 A.1.a filled order": [
        (new(), ("new", 10_000, 0, 10_000)),
        (fill(2_000), ("partially_filled", 10_000, 2_000, 8_000)),
        (fill(1_000), ("partially_filled", 10_000, 3_000, 7_000)),
        (fill(7_000), ("filled", 10_000, 10_000, 0)),
    ],
    "D2 A.1.b part-filled day order, done for the day": [
        (new(), ("new", 10_000, 0, 10_000)),
        (fill(2_000), ("partially_filled", 10_000, 2_000, 8_000)),
        (fill(1_000), ("partially_filled", 10_000, 3_000, 7_000)),
        (close_market, ("expired", 10_000, 3_000, 0)),
    ],
    "D3 B.1.a cancel of an order with nothing filled": [
        (new(), ("new", 10_000, 0, 10_000)),
        (cancel, ("canceled", 10_000, 0, 0)),
        (cancel, "ALREADY_TERMINAL"),
        (fill(1_000), ("canceled", 10_000, 0, 0)),
    ],
    "D4 B.1.b cancel of a part-filled order: fills before it count": [
        (new(), ("new", 10_000, 0, 10_000)),
        (fill(2_000), ("partially_filled", 10_000, 2_000, 8_000)),
        (fill(3_000), ("partially_filled", 10_000, 5_000, 5_000)),
        (cancel, ("canceled", 10_000, 5_000, 0)),
    ],
    "D5 B.1.c cancel of an order that was filled first": [
        (new(), ("new", 10_000, 0, 10_000)),
        (fill(2_000), ("partially_filled", 10_000, 2_000, 8_000)),
        (fill(8_000), ("filled", 10_000, 10_000, 0)),
        (cancel, "TOO_LATE_TO_CANCEL"),
        (fill(1), ("filled", 10_000, 10_000, 0)),
    ],
    "D6 C.1.a more quantity, nothing filled": [
        (new(), ("new", 10_000, 0, 10_000)),
        (replace(qty=11_000), ("new", 11_000, 0, 11_000)),
        (fill(1_000), ("partially_filled", 11_000, 1_000, 10_000)),
        (fill(2_000), ("partially_filled", 11_000, 3_000, 8_000)),
    ],
    "D7 C.1.b more quantity, part filled": [
        (new(), ("new", 10_000, 0, 10_000)),
        (fill(1_000), ("partially_filled", 10_000, 1_000, 9_000)),
        (fill(100), ("partially_filled", 10_000, 1_100, 8_900)),
        (replace(qty=12_000), ("partially_filled", 12_000, 1_100, 10_900)),
        (fill(10_900), ("filled", 12_000, 12_000, 0)),
    ],
    "D8 C.1.c more quantity after the last fill": [
        (new(), ("new", 10_000, 0, 10_000)),
        (fill(10_000), ("filled", 10_000, 10_000, 0)),
        (replace(qty=12_000), "TOO_LATE_TO_CANCEL"),
    ],
    "D9 C.2.a another price after the last fill": [
        (new(), ("new", 10_000, 0, 10_000)),
        (fill(10_000), ("filled", 10_000, 10_000, 0)),
        (replace(limit_price=1001), "TOO_LATE_TO_CANCEL"),
    ],
    "D10 C.3.a less quantity, above what is filled": [
        (new(), ("new", 10_000, 0, 10_000)),
        (fill(5_000), ("partially_filled", 10_000, 5_000, 5_000)),
        (replace(qty=8_000), ("partially_filled", 8_000, 5_000, 3_000)),
        (fill(3_000), ("filled", 8_000, 8_000, 0)),
    ],
    "D11 C.3.b less quantity, just what is filled": [
        (new(), ("new", 10_000, 0, 10_000)),
        (fill(7_000), ("partially_filled", 10_000, 7_000, 3_000)),
        (replace(qty=7_000), ("filled", 7_000, 7_000, 0)),
        (fill(1), ("filled", 7_000, 7_000, 0)),
    ],
    "D12 C.3.c less quantity than is filled: amended to what is filled": [
        (new(), ("new", 10_000, 0, 10_000)),
        (fill(5_000), ("partially_filled", 10_000, 5_000, 5_000)),
        (replace(qty=4_000), ("filled", 5_000, 5_000, 0)),
        (cancel, "TOO_LATE_TO_CANCEL"),
    ],
    "D13 D.1.a one replace, then another, both accepted": [
        (new(), ("new", 10_000, 0, 10_000)),
        (fill(1_500), ("partially_filled", 10_000, 1_500, 8_500)),
        (replace(qty=8_000), ("partially_filled", 8_000, 1_500, 6_500)),
        (fill(2_000), ("partially_filled", 8_000, 3_500, 4_500)),
        (replace(qty=6_000), ("partially_filled", 6_000, 3_500, 2_500)),
        (fill(2_500), ("filled", 6_000, 6_000, 0)),
    ],
    "D14 D.1.b one replace refused, then another accepted": [
        (new(), ("new", 10_000, 0, 10_000)),
        (fill(1_000), ("partially_filled", 10_000, 1_000, 9_000)),
        (replace(qty=0), "BAD_QTY_OR_LOT"),
        (fill(500), ("partially_filled", 10_000, 1_500, 8_500)),
        (replace(qty=8_000), ("partially_filled", 8_000, 1_500, 6_500)),
    ],
    "D15 D.1.c one replace refused for what happened meanwhile, then another accepted": [
        (new(), ("new", 10_000, 0, 10_000)),
        (fill(1_000), ("partially_filled", 10_000, 1_000, 9_000)),
        (replace(qty=8_000, if_version=1), "VERSION_CONFLICT"),
        (fill(2_500), ("partially_filled", 10_000, 3_500, 6_500)),
        (replace(qty=6_000), ("partially_filled", 6_000, 3_500, 2_500)),
        (fill(1_500), ("partially_filled", 6_000, 5_000, 1_000)),
    ],
    "D16 D.2.a one replace followed at once by another": [
        (new(), ("new", 10_000, 0, 10_000)),
        (replace(qty=8_000), ("new", 8_000, 0, 8_000)),
        (replace(qty=7_000, limit_price=999), ("new", 7_000, 0, 7_000)),
        (fill(500, price=999), ("partially_filled", 7_000, 500, 6_500)),
    ],
    "F.1 refused order": [
        (new(qty=2_000_000_000), ("rejected", 2_000_000_000, 0, 0)),
        (cancel, "ALREADY_TERMINAL"),
    ],
    "D27 H.1.b gtc order, part filled, filled the following day": [
        (new(tif="gtc"), ("new", 10_000, 0, 10_000)),
        (fill(2_000), ("partially_filled", 10_000, 2_000, 8_000)),
        (close_market, ("partially_filled", 10_000, 2_000, 8_000)),
        (next_day, ("partially_filled", 10_000, 2_000, 8_000)),
        (fill(8_000), ("filled", 10_000, 10_000, 0)),
    ],
    "D29 H.1.d gtc order, part filled, canceled the following day": [
        (new(tif="gtc"), ("new", 10_000, 0, 10_000)),
        (fill(2_000), ("partially_filled", 10_000, 2_000, 8_000)),
        (close_market, ("partially_filled", 10_000, 2_000, 8_000)),
        (next_day, ("partially_filled", 10_000, 2_000, 8_000)),
        (cancel, ("canceled", 10_000, 2_000, 0)),
    ],
    "D34 J.1.b filled order, then a fill is taken back: it keeps what it was told": [
        (new(), ("new", 10_000, 0, 10_000)),
        (fill(1_000), ("partially_filled", 10_000, 1_000, 9_000)),
        (fill(9_000), ("filled", 10_000, 10_000, 0)),
        (bust_the_first, ("filled", 10_000, 10_000, 0)),
        (cancel, "TOO_LATE_TO_CANCEL"),
    ],
    "replace, then cancel": [
        (new(), ("new", 10_000, 0, 10_000)),
        (replace(qty=9_000, limit_price=999), ("new", 9_000, 0, 9_000)),
        (cancel, ("canceled", 9_000, 0, 0)),
        (replace(qty=8_000), "ALREADY_TERMINAL"),
    ],
    "a replace that changes nothing": [
        (new(), ("new", 10_000, 0, 10_000)),
        (replace(qty=10_000), "NOTHING_TO_REPLACE"),
        (replace(), "NOTHING_TO_REPLACE"),
    ],
    "I.1.a fill or kill that cannot be filled": [
        (lambda pit: pit.quote(asks=((1000, 9_999),)), None),
        (new(tif="fok"), ("canceled", 10_000, 0, 0)),
    ],
    "I.1.a fill or kill that can": [
        (lambda pit: pit.quote(asks=((1000, 9_999), (1001, 1))), None),
        (new(tif="fok", price=1001), ("filled", 10_000, 10_000, 0)),
    ],
    "I.1.b immediate or cancel, part filled": [
        (lambda pit: pit.quote(asks=((1000, 6_000),)), None),
        (new(tif="ioc"), ("canceled", 10_000, 6_000, 0)),
    ],
    "I.1.b immediate or cancel, nothing there": [
        (lambda pit: pit.quote(asks=((1001, 6_000),)), None),
        (new(tif="ioc"), ("canceled", 10_000, 0, 0)),
    ],
    "I.1.b immediate or cancel, all there": [
        (lambda pit: pit.quote(asks=((1000, 10_000),)), None),
        (new(tif="ioc"), ("filled", 10_000, 10_000, 0)),
    ],
    "expired with a part filled": [
        (new(), ("new", 10_000, 0, 10_000)),
        (fill(2_000), ("partially_filled", 10_000, 2_000, 8_000)),
        (close_market, ("expired", 10_000, 2_000, 0)),
        (cancel, "ALREADY_TERMINAL"),
    ],
    "K.1.a halted and taken up again": [
        (new(), ("new", 10_000, 0, 10_000)),
        (fill(2_000), ("partially_filled", 10_000, 2_000, 8_000)),
        (lambda pit: pit.halt(), ("suspended", 10_000, 2_000, 8_000)),
        (replace(qty=9_000), "HALTED"),
        (lambda pit: pit.halt(False), ("partially_filled", 10_000, 2_000, 8_000)),
        (fill(8_000), ("filled", 10_000, 10_000, 0)),
    ],
    "K.1.b halted and canceled": [
        (new(), ("new", 10_000, 0, 10_000)),
        (lambda pit: pit.halt(), ("suspended", 10_000, 0, 10_000)),
        (cancel, ("canceled", 10_000, 0, 0)),
    ],
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str):
    pit = Pit()
    pit.open(ALICE)
    pit.open(BOB, holding=100_000)
    pit.quote(bids=((900, 1),), asks=((1100, 1),))
    for step, (act, expected) in enumerate(SCENARIOS[name]):
        before = line(pit) if isinstance(expected, str) else None
        answer = act(pit)
        if isinstance(expected, str):
            assert codes(answer) == [expected], f"step {step}"
            assert line(pit) == before, f"step {step}: a refusal changed the order"
        elif expected is not None:
            assert line(pit) == expected, f"step {step}"


def test_every_end_gives_all_the_money_back():
    for name, scenario in SCENARIOS.items():
        pit = Pit()
        pit.open(ALICE)
        pit.open(BOB, holding=100_000)
        pit.quote(bids=((900, 1),), asks=((1100, 1),))
        for act, _ in scenario:
            act(pit)
        pit.cancel_all(ALICE)
        assert pit.free(ALICE) == pit.cash(ALICE), name


def test_bob_may_not_touch_alices_order_and_learns_nothing_of_it():
    pit = Pit()
    pit.open(ALICE)
    pit.open(BOB)
    pit.buy(ALICE, 10, 1000, order_id="X")
    unknown = pit.cancel(BOB, "nothing")
    assert [(e.code, e.detail, e.facts) for e in pit.cancel(BOB, "X")] == [
        (e.code, e.detail, e.facts) for e in unknown
    ]
    assert codes(pit.replace(BOB, "X", qty=5)) == ["UNKNOWN_ORDER"]
    pit.cancel(ALICE, "X")
    assert codes(pit.cancel(BOB, "X")) == ["UNKNOWN_ORDER"]


def test_a_cancel_that_names_an_old_version_is_refused():
    pit = Pit()
    pit.open(ALICE)
    pit.buy(ALICE, 10, 1000, order_id="X")
    pit.replace(ALICE, "X", qty=9)
    (refused,) = pit.cancel(ALICE, "X", if_version=1)
    assert (refused.code, refused.facts) == ("VERSION_CONFLICT", {"version": 2, "if_version": 1})
    pit.cancel(ALICE, "X", if_version=2)
    assert pit.row("X").status == "canceled"


def test_a_command_past_its_deadline_is_refused_and_stored_as_such():
    pit = Pit()
    pit.open(ALICE)
    order = pit.buy(ALICE, 10, 1000, order_id="X", deadline_ns=pit.at_ns - 1)
    assert (order.status, order.reason) == ("rejected", "STALE_ORDER")
    assert pit.buy(ALICE, 10, 1000, deadline_ns=pit.at_ns).status == "new"


def test_less_quantity_keeps_the_place_and_another_price_loses_it():
    pit = Pit()
    for who in (ALICE, BOB):
        pit.open(who, holding=100)
    pit.open(3)
    pit.quote(bids=((900, 1),), asks=((1100, 1),))
    pit.sell(ALICE, 10, 1000, order_id="A")
    pit.sell(BOB, 10, 1000, order_id="B")
    pit.replace(ALICE, "A", qty=8)
    pit.buy(3, 8, 1000)
    assert (pit.row("A").filled_qty, pit.row("B").filled_qty) == (8, 0)

    pit.sell(ALICE, 10, 1000, order_id="A2")
    pit.replace(BOB, "B", qty=11)  # more: behind A2
    pit.buy(3, 10, 1000)
    assert (pit.row("A2").filled_qty, pit.row("B").filled_qty) == (10, 0)


def test_a_replaced_price_that_reaches_the_market_trades_at_once():
    pit = Pit()
    pit.open(ALICE)
    pit.quote(asks=((1000, 50),))
    pit.buy(ALICE, 20, 990, order_id="X")
    pit.replace(ALICE, "X", limit_price=1005)
    row = pit.row("X")
    assert (row.status, row.filled_value) == ("filled", 20 * 1000)


def test_cancel_all_takes_one_instrument_or_all_and_nothing_when_there_is_none():
    pit = Pit()
    pit.open(ALICE)
    pit.buy(ALICE, 10, 1000)
    pit.buy(ALICE, 10, 1001)
    assert pit.cancel_all(ALICE, "OTHER") == []
    pit.cancel_all(ALICE, "NLB")
    assert [pit.row(f"o{n}").status for n in (1, 2)] == ["canceled", "canceled"]
    assert pit.cancel_all(ALICE) == []
