"""Stop, stop limit and trailing stop orders: when they fire, and what they are then."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.engine.pit import A_SHARE, ALICE, BOB, Pit, codes, fills, stand


@pytest.fixture
def pit() -> Pit:
    pit = Pit()
    pit.open(ALICE, holding=100)
    pit.open(BOB, holding=100)
    pit.quote(bids=((999, 500),), asks=((1001, 500),))
    pit.trade(1000, 10)
    return pit


def stop(pit: Pit, side: str, stop_price: int, limit: int | None = None, **more: Any) -> Any:
    kind = "stop" if limit is None else "stop_limit"
    return pit.ask(ALICE, side, 100, limit, kind=kind, order_id="S", stop_price=stop_price, **more)


@pytest.mark.parametrize(
    ("side", "stop_price", "before", "at"),
    [("sell", 990, 991, 990), ("sell", 990, 991, 980), ("buy", 1010, 1009, 1010), ("buy", 1010, 1009, 1020)],
)
def test_alices_stop_waits_for_a_print_at_its_price_or_beyond(
    pit: Pit, side: str, stop_price: int, before: int, at: int
):
    row = stop(pit, side, stop_price)
    assert (row.status, row.receipt["waits"], row.terms.triggered) == ("new", "stop", False)
    assert fills(pit.trade(before, 10)) == []
    events = pit.trade(at, 10)
    assert fills(events) == [(999 if side == "sell" else 1001, 100)]
    row = pit.row("S")
    assert (row.status, row.terms.triggered) == ("filled", True)


def test_what_fired_it_stands_in_its_receipt(pit: Pit):
    stop(pit, "sell", 990)
    events = pit.trade(990, 10)
    triggered = next(event for event in events if getattr(event, "exec_type", "") == "triggered")
    assert (triggered.status, triggered.receipt["print"]["price"]) == ("new", 990)
    assert triggered.receipt["rule"]["name"] == "stop_price"


def test_a_stop_limit_rests_at_its_limit_when_the_market_has_gone_past(pit: Pit):
    stop(pit, "sell", 990, 985)
    pit.quote(bids=((970, 500),), asks=((975, 500),))
    pit.trade(972, 10)
    row = pit.row("S")
    assert (row.status, row.limit_price, row.terms.triggered) == ("new", 985, True)
    assert fills(pit.trade(985, 600)) == [(985, 100)]


def test_a_quote_fires_only_the_stops_that_ask_for_it(pit: Pit):
    stop(pit, "sell", 990)
    pit.ask(BOB, "sell", 100, kind="stop", order_id="Q", stop_price=990, fired_by="quote")
    pit.quote(bids=((990, 150),), asks=((1001, 500),))
    assert stand(pit, "S", "Q") == [("new", 100, 0), ("filled", 100, 100)]


def test_trades_between_players_fire_nothing(pit: Pit):
    pit.quote(bids=((900, 500),), asks=((1100, 500),))
    stop(pit, "sell", 990)
    pit.open(3, holding=100)
    pit.buy(BOB, 10, 980)
    pit.sell(3, 10, 980)
    assert pit.row("S").status == "new"


@pytest.mark.parametrize("why", ["halt", "phase", "stale"])
def test_nothing_fires_while_nothing_matches(pit: Pit, why: str):
    stop(pit, "sell", 990)
    if why == "halt":
        pit.halt()
        assert pit.row("S").status == "suspended"
    elif why == "phase":
        pit.phase("break")
    else:
        pit.wait(16)
    pit.trade(980, 10)
    assert not pit.row("S").terms.triggered
    pit.halt(False)
    pit.phase("continuous")
    pit.quote(bids=((980, 500),))
    assert not pit.row("S").terms.triggered
    pit.trade(980, 10)
    assert pit.row("S").status == "filled"


def test_a_buy_stop_holds_its_collar_and_never_more_than_there_is(pit: Pit):
    pit.open(3, 100 * 1061)
    row = pit.ask(3, "buy", 100, kind="stop", order_id="S", stop_price=1010)
    assert row.reserved_cash == 100 * 1061  # 1010 and 5 %, half-up
    pit.quote(bids=((1050, 10),), asks=((1060, 50), (1062, 100)))
    events = pit.trade(1055, 10)  # the collar would be 1113 now: the cash reaches to 1061
    assert fills(events) == [(1060, 50)]
    assert (pit.row("S").status, pit.row("S").reason) == ("canceled", "NO_MORE_DEPTH")
    assert pit.free(3) == pit.cash(3) == 100 * 1061 - 50 * 1060


@pytest.mark.parametrize(("side", "price"), [("sell", 1000), ("sell", 1010), ("buy", 1000), ("buy", 990)])
def test_a_stop_that_the_market_has_passed_is_refused(pit: Pit, side: str, price: int):
    row = stop(pit, side, price)
    assert (row.status, row.reason, row.receipt["rule"]["name"]) == (
        "rejected",
        "PRICE_OUT_OF_BAND",
        "stop_price",
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "stop"},
        {"kind": "stop_limit", "stop_price": 990},
        {"kind": "stop", "stop_price": 990, "price": 980},
        {"kind": "limit", "price": 1000, "stop_price": 990},
        {"kind": "trailing_stop"},
        {"kind": "trailing_stop", "trail_price": 5, "trail_ppb": 10_000_000},
        {"kind": "trailing_stop", "trail_price": 0},
        {"kind": "trailing_stop", "trail_ppb": 1_000_000_000},
        {"kind": "stop", "stop_price": 990, "tif": "ioc"},
        {"kind": "stop", "stop_price": 990, "tif": "cls"},
        {"kind": "stop", "stop_price": 990, "notional": 100_000, "qty": 0},
        {"kind": "limit", "price": 1000, "tif": "gtd"},
        {"kind": "limit", "price": 1000, "expire_ns": 1 << 62},
        {"kind": "market", "post_only": True},
        {"kind": "limit", "price": 1000, "tif": "ioc", "post_only": True},
    ],
)
def test_terms_that_contradict_each_other_are_refused(pit: Pit, wrong: dict[str, Any]):
    asked = {"qty": 100, **wrong}
    row = pit.ask(ALICE, "sell", asked.pop("qty"), asked.pop("price", None), **asked)
    assert codes(pit.events) == ["UNSUPPORTED"] if row is None else row.reason == "UNSUPPORTED"
    assert pit.engine.state.portfolios[ALICE].orders == {}


def test_a_stop_price_off_the_tick_is_refused(pit: Pit):
    pit.rules(tick=5)
    assert stop(pit, "sell", 991).reason == "BAD_TICK_SIZE"


def test_a_trailing_sell_follows_the_market_up_and_fires_on_the_way_down(pit: Pit):
    pit.ask(ALICE, "sell", 100, kind="trailing_stop", order_id="S", trail_price=10)
    seen = []
    for price in (1000, 1005, 1003, 1020, 1011):
        pit.trade(price, 10)
        seen.append((pit.row("S").terms.hwm, pit.row("S").terms.stop_price))
    assert seen == [(1000, 990), (1005, 995), (1005, 995), (1020, 1010), (1020, 1010)]
    assert fills(pit.trade(1010, 10)) == [(999, 100)]


def test_a_trailing_buy_by_percent_follows_the_market_down_and_frees_cash(pit: Pit):
    pit.open(3)
    row = pit.ask(3, "buy", 100, kind="trailing_stop", order_id="S", trail_ppb=20_000_000)
    assert row.terms.stop_price == 1020
    held = row.reserved_cash
    pit.trade(950, 10)
    row = pit.row("S")
    assert (row.exec_type, row.terms.hwm, row.terms.stop_price) == ("restated", 950, 969)
    assert row.reserved_cash < held
    assert fills(pit.trade(969, 10)) == [(1001, 100)]


def test_stops_fired_by_one_print_arrive_in_the_order_they_came(pit: Pit):
    for who, order_id, price in ((BOB, "a", 985), (ALICE, "b", 990)):
        pit.ask(who, "sell", 100, kind="stop", order_id=order_id, stop_price=price)
    pit.quote(bids=((980, 150), (975, 50)), asks=((1001, 10),))
    pit.trade(980, 10)
    assert [pit.row(name).filled_value for name in ("a", "b")] == [98_000, 50 * 980 + 50 * 975]


def test_alice_moves_and_cancels_her_stop(pit: Pit):
    stop(pit, "sell", 990)
    pit.change_terms(ALICE, "S", stop_price=970)
    pit.trade(985, 10)
    assert (pit.row("S").status, pit.row("S").terms.stop_price) == ("new", 970)
    assert codes(pit.change_terms(ALICE, "S", stop_price=995)) == ["PRICE_OUT_OF_BAND"]
    assert codes(pit.change_terms(ALICE, "S", trail_price=5)) == ["UNSUPPORTED"]
    assert codes(pit.change_terms(ALICE, "S", stop_price=970)) == ["NOTHING_TO_REPLACE"]
    assert codes(pit.replace(ALICE, "S", limit_price=960)) == ["UNSUPPORTED"]
    pit.replace(ALICE, "S", qty=40)
    assert pit.position(ALICE).held.reserved == 40
    pit.cancel(ALICE, "S")
    assert fills(pit.trade(960, 10)) == []
    assert pit.position(ALICE).held.reserved == 0


def test_a_stop_limit_outside_the_band_waits_and_is_judged_when_it_fires():
    pit = Pit(msgspec.structs.replace(A_SHARE, lock_days=0, fees=()), previous_close=10_00)
    pit.open(ALICE, holding=100)
    pit.quote(bids=((9_90, 500),), asks=((10_00, 500),))
    pit.ask(ALICE, "sell", 100, 9_00, "gtc", kind="stop_limit", order_id="S", stop_price=9_10)
    pit.phase("closed")
    pit.phase("continuous", day=20261103)
    pit.reference(11_00, day=20261103)
    assert pit.row("S").status == "new"  # below the band of the day, and still waiting
    pit.quote(bids=((9_90, 500),), asks=((10_00, 500),))
    pit.trade(9_10, 10)
    assert (pit.row("S").status, pit.row("S").reason) == ("canceled", "PRICE_OUT_OF_BAND")


def test_a_plain_order_cannot_be_a_stop(pit: Pit):
    assert pit.sell(ALICE, 10, type="stop").reason == "UNSUPPORTED"
    assert pit.sell(ALICE, 10, 1000, "gtd").reason == "UNSUPPORTED"
