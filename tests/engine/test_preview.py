"""What the ticket shows before it is sent: the truth, and the nearest order that would pass."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.pit import A_SHARE, ALICE, BOB, DAY, Pit
from trading.engine.commands import NewOrder
from trading.engine.events import FillRow


def preview(
    pit: Pit, side: str, qty: int, price: int | None = None, *, tif: str = "day", who: int = ALICE
) -> dict[str, Any]:
    kind = "market" if price is None else "limit"
    before = pit.engine.state_hash(), len(pit.engine.state.orders)
    answer = pit.engine.preview(
        NewOrder(who, "P", "P", pit.symbol, side, kind, tif, qty, price, 0), pit.at_ns
    )
    assert (pit.engine.state_hash(), len(pit.engine.state.orders)) == before, "a preview changes nothing"
    return answer


@pytest.fixture
def pit() -> Pit:
    pit = Pit(A_SHARE, previous_close=1000)
    pit.open(ALICE, 50_000_00)
    pit.quote(bids=((995, 700),), asks=((1000, 900), (1001, 1300), (1002, 4700)))
    return pit


@pytest.mark.parametrize(
    ("side", "qty", "price", "tif"),
    [
        ("buy", 2500, 1001, "day"),
        ("buy", 2500, 1001, "ioc"),
        ("buy", 2500, 1001, "fok"),
        ("buy", 2500, None, "day"),
        ("buy", 500, 990, "gtc"),
        ("sell", 900, 995, "day"),
        ("sell", 900, None, "day"),
        ("sell", 650, 1005, "day"),
    ],
)
def test_what_it_says_is_what_happens(pit: Pit, side: str, qty: int, price: int | None, tif: str):
    pit.give(ALICE, 2050)
    said = preview(pit, side, qty, price, tif=tif)
    free = pit.free(ALICE)

    order = pit.order(ALICE, side, qty, price, tif)

    done = [e for e in pit.events if isinstance(e, FillRow)]
    assert said["refusal"] is None
    assert (said["filled_qty"], said["filled_value"]) == (order.filled_qty, order.filled_value)
    assert (said["cash"], said["fee"]) == (order.filled_cash, order.fees)
    assert [level["taken"] for level in said["levels"] if level["taken"]] == [fill.qty for fill in done]
    assert said["reserved_cash"] == order.reserved_cash
    assert said["rests_qty"] == (qty - order.filled_qty if order.status in ("new", "partially_filled") else 0)
    assert said["canceled_qty"] == (qty - order.filled_qty if order.status == "canceled" else 0)
    assert said["queue_ahead"] == order.queue_ahead
    assert said["free_cash_after"] == pit.free(ALICE)
    assert free - pit.free(ALICE) != 0 or side == "sell" or tif == "fok"


@pytest.mark.parametrize(
    ("asked", "code", "nearest"),
    [
        (("buy", 250, 1000), "BAD_QTY_OR_LOT", (200, 1000)),
        (("buy", 30, 1000), "BAD_QTY_OR_LOT", (100, 1000)),
        (("buy", 100, 1050), "PRICE_OUT_OF_BAND", (100, 1020)),  # into the cage
        (("buy", 100, 1200), "PRICE_OUT_OF_BAND", (100, 1020)),  # into the band, and then the cage
        (("buy", 9_000, 1000), "INSUFFICIENT_CASH", (4900, 1000)),  # 50,000.00 would need its fees too
        (("buy", 9_050, 1000), "BAD_QTY_OR_LOT", (4900, 1000)),
        (("buy", 2_000_000, 1000), "EXCEEDS_LIMIT", (4900, 1000)),
        (("sell", 5_000, 1005), "INSUFFICIENT_SELLABLE", (1850, 1005)),  # odd remainder and all
        (("sell", 30, 1005), "BAD_QTY_OR_LOT", (1850, 1005)),
    ],
)
def test_the_nearest_order_that_would_pass(
    pit: Pit, asked: tuple[str, int, int], code: str, nearest: tuple[int, int]
):
    pit.give(ALICE, 1850)
    said = preview(pit, *asked)
    assert said["refusal"]["code"] == code
    assert (said["nearest"]["qty"], said["nearest"]["limit_price"]) == nearest
    again = preview(pit, asked[0], *nearest)
    assert again["refusal"] is None


def test_the_price_moves_to_the_tick_on_the_side_that_costs_no_more():
    pit = Pit(A_SHARE)
    pit.rules(tick=5)
    pit.open(ALICE, holding=100)
    pit.quote(bids=((995, 700),), asks=((1000, 900),))
    assert preview(pit, "buy", 100, 998)["nearest"]["limit_price"] == 995
    assert preview(pit, "sell", 100, 1001)["nearest"]["limit_price"] == 1005


def test_shares_bought_today_leave_what_may_be_sold(pit: Pit):
    pit.give(ALICE, 300)
    pit.buy(ALICE, 500, 1000)
    said = preview(pit, "sell", 800, 995)
    assert said["refusal"]["rule"] == {"name": "lock", "row": "lock.main", "text": said["refusal"]["detail"]}
    assert said["nearest"]["qty"] == 300
    pit.phase("continuous", day=DAY + 1)
    assert preview(pit, "sell", 800, 995)["refusal"] is None


def test_some_refusals_have_no_nearest_order(pit: Pit):
    assert preview(pit, "sell", 100, 1000)["nearest"] is None  # nothing to sell
    pit.phase("closed")
    said = preview(pit, "buy", 100, 1000)
    assert (said["refusal"]["code"], said["nearest"]) == ("MARKET_CLOSED", None)
    assert preview(pit, "buy", 100, 1000, who=BOB)["refusal"]["code"] == "UNKNOWN_ACCOUNT"


def test_it_tells_that_an_order_would_wait_and_where(pit: Pit):
    assert preview(pit, "buy", 100, 995)["queue_ahead"] == 700
    pit.wait(20)
    said = preview(pit, "buy", 100, 1000)
    assert (said["waits"], said["rests_qty"], said["filled_qty"]) == ("quote", 100, 0)
    pit.phase("break")
    assert preview(pit, "buy", 100, 1000)["waits"] == "phase"


def test_it_warns_of_an_order_of_her_own(pit: Pit):
    pit.give(ALICE, 1000)
    pit.sell(ALICE, 100, 1001, order_id="mine")
    said = preview(pit, "buy", 2400, 1001)
    assert (said["own_order"], said["filled_qty"], said["canceled_qty"]) == ("mine", 2200, 200)
