"""Post-only, reduce-only, good till a date, amounts of money, closing a position."""

from __future__ import annotations

import pytest

from tests.engine.pit import A_SHARE, ALICE, BOB, NS, Pit, codes, fills


@pytest.fixture
def pit() -> Pit:
    pit = Pit()
    pit.open(ALICE, holding=100)
    pit.open(BOB, holding=100)
    pit.quote(bids=((990, 500),), asks=((1010, 500),))
    return pit


def test_post_only_rests_or_is_not(pit: Pit):
    assert pit.ask(ALICE, "buy", 10, 1009, order_id="A", post_only=True).status == "new"
    row = pit.ask(ALICE, "buy", 10, 1010, post_only=True)
    assert (row.status, row.reason, row.filled_qty) == ("canceled", "POST_ONLY", 0)
    assert row.receipt["levels"][0]["price"] == 1010
    pit.replace(ALICE, "A", limit_price=1010)
    assert (pit.row("A").status, pit.row("A").reason) == ("canceled", "POST_ONLY")
    assert pit.free(ALICE) == pit.cash(ALICE)


def test_post_only_takes_from_no_player_either(pit: Pit):
    pit.sell(BOB, 10, 1000)
    assert pit.ask(ALICE, "buy", 10, 1000, post_only=True).reason == "POST_ONLY"
    pit.phase("break")
    pit.ask(ALICE, "buy", 10, 1000, order_id="W", post_only=True)
    pit.phase("continuous")
    assert pit.row("W").reason == "POST_ONLY"


def test_reduce_only_sells_what_is_held_and_buys_nothing(pit: Pit):
    assert pit.ask(ALICE, "sell", 100, 1000, reduce_only=True).status == "new"
    assert pit.ask(BOB, "sell", 101, 1000, reduce_only=True).reason == "INSUFFICIENT_SELLABLE"
    assert pit.ask(BOB, "buy", 1, 1000, reduce_only=True).reason == "UNSUPPORTED"


def test_good_till_a_date_means_till_then(pit: Pit):
    till = pit.at_ns + 60 * NS
    row = pit.ask(ALICE, "buy", 10, 1000, "gtd", order_id="A", expire_ns=till)
    assert row.terms.expire_ns == till
    pit.wait(59)
    pit.phase("continuous")
    assert pit.row("A").status == "new"
    pit.wait(1)
    pit.phase("continuous")
    assert (pit.row("A").status, pit.row("A").reason) == ("expired", "TIME_REACHED")
    assert pit.ask(ALICE, "buy", 10, 1000, "gtd", expire_ns=till).reason == "BAD_EXPIRY"


def test_expiry_comes_before_the_fill_of_the_same_tick(pit: Pit):
    till = pit.at_ns + 5 * NS
    pit.ask(ALICE, "buy", 10, 1000, "gtd", order_id="A", expire_ns=till)
    pit.wait(5)
    assert fills(pit.quote(bids=((980, 1),), asks=((990, 500),))) == []
    assert pit.row("A").status == "expired"


def test_a_later_date_replaces_an_earlier_one(pit: Pit):
    pit.ask(ALICE, "buy", 10, 1000, "gtd", order_id="A", expire_ns=pit.at_ns + 5 * NS)
    pit.change_terms(ALICE, "A", expire_ns=pit.at_ns + 50 * NS)
    pit.wait(5)
    pit.phase("continuous")
    assert pit.row("A").status == "new"
    pit.replace(ALICE, "A", time_in_force="gtc")
    pit.wait(50)
    pit.phase("continuous")
    assert (pit.row("A").status, pit.row("A").terms.expire_ns) == ("new", 0)
    assert codes(pit.replace(ALICE, "A", time_in_force="gtd")) == ["UNSUPPORTED"]


@pytest.mark.parametrize(
    ("notional", "price", "qty"),
    [(1010_00, None, 100), (1010_99, None, 100), (1000_00, 1000, 100), (999_99, 1000, 99), (1010, None, 1)],
)
def test_an_amount_of_money_becomes_whole_lots(pit: Pit, notional: int, price: int | None, qty: int):
    assert pit.ask(ALICE, "buy", 0, price, notional=notional).qty == qty


def test_an_amount_that_is_no_lot_makes_no_order(pit: Pit):
    assert pit.ask(ALICE, "buy", 0, notional=1009) is None
    assert codes(pit.events) == ["BAD_QTY_OR_LOT"]
    assert pit.ask(ALICE, "buy", 5, notional=5000).reason == "UNSUPPORTED"


def test_lots_of_a_hundred_round_down():
    pit = Pit(A_SHARE, previous_close=10_00)
    pit.open(ALICE)
    pit.quote(asks=((10_00, 10_000),))
    assert pit.ask(ALICE, "buy", 0, notional=2999_99).qty == 200


def test_alice_closes_all_half_or_some_of_it(pit: Pit):
    assert pit.close_position(ALICE, share_ppb=500_000_000).filled_qty == 50
    assert pit.close_position(ALICE, qty=20).filled_qty == 20
    assert pit.close_position(ALICE).filled_qty == 30
    assert pit.held(ALICE) == 0
    assert pit.close_position(ALICE) is None
    assert codes(pit.events) == ["INSUFFICIENT_SELLABLE"]


def test_what_cannot_be_closed_is_refused(pit: Pit):
    pit.close_position(BOB, qty=1, share_ppb=1)
    pit.close_position(BOB, share_ppb=1_000_000_001)
    pit.close_position(BOB, share_ppb=1)
    assert codes(pit.events) == ["UNSUPPORTED", "UNSUPPORTED", "BAD_QTY_OR_LOT"]
    assert pit.close_position(BOB, qty=101).reason == "INSUFFICIENT_SELLABLE"


def test_an_odd_remainder_is_closed_in_one_order():
    pit = Pit(A_SHARE, previous_close=10_00)
    pit.open(ALICE, holding=250)
    pit.quote(bids=((10_00, 10_000),))
    assert pit.close_position(ALICE, share_ppb=500_000_000).filled_qty == 100
    assert pit.close_position(ALICE).filled_qty == 150
