"""Displayed depth: used up once, shared by all, with a line at every price."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.pit import ALICE, BOB, CAROL, PLAIN, Pit, fills, queue
from trading.engine.events import FillRow


@pytest.fixture
def pit() -> Pit:
    pit = Pit()
    for who in (ALICE, BOB, CAROL):
        pit.open(who, holding=10_000)
    return pit


def test_what_alice_took_bob_does_not_get(pit: Pit):
    pit.quote(bids=((990, 100),), asks=((1000, 100),))
    pit.buy(ALICE, 70, 1000)
    assert pit.buy(BOB, 70, 1000, "ioc").filled_qty == 30
    assert pit.buy(CAROL, 70, 1000, "ioc").filled_qty == 0


def test_the_same_quote_again_gives_nothing_back(pit: Pit):
    pit.quote(asks=((1000, 100),))
    pit.buy(ALICE, 100, 1000)
    pit.wait(5)
    pit.quote(asks=((1000, 100),))
    assert pit.buy(BOB, 10, 1000, "ioc").filled_qty == 0


@pytest.mark.parametrize(
    ("shown", "left"),
    [(100, 40), (130, 70), (80, 20), (60, 0), (30, 0)],
)
def test_a_newer_quote_shows_the_difference(pit: Pit, shown: int, left: int):
    pit.quote(asks=((1000, 100),))
    pit.buy(ALICE, 60, 1000)
    pit.quote(asks=((1000, shown),))
    assert pit.engine.state.markets["NLB"].asks.left_at(1000) == left


def test_a_level_that_vanished_comes_back_whole(pit: Pit):
    pit.quote(asks=((1000, 100), (1001, 50)))
    pit.buy(ALICE, 100, 1000)
    pit.quote(asks=((1001, 50),))
    pit.quote(asks=((1000, 80), (1001, 50)))
    assert pit.buy(BOB, 100, 1000, "ioc").filled_qty == 80


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("take"), st.integers(1, 300)), st.tuples(st.just("show"), st.integers(1, 300))
        )
    )
)
def test_what_is_left_is_the_clamped_difference(steps: list[tuple[str, int]]):
    """The engine keeps what was taken; the rule is stated of what is left. They are the same."""
    pit = Pit()
    pit.open(ALICE, 10**12)
    shown = left = 100
    pit.quote(asks=((1000, shown),))
    for what, size in steps:
        if what == "take":
            taken = pit.buy(ALICE, size, 1000, "ioc").filled_qty
            assert taken == min(size, left)
            left -= taken
        else:
            left = min(max(left + size - shown, 0), size)
            shown = size
            pit.quote(asks=((1000, shown),))


def test_alice_stands_behind_what_was_displayed_when_she_came(pit: Pit):
    pit.quote(bids=((1000, 300),), asks=((1010, 100),))
    order = pit.buy(ALICE, 200, 1000)
    assert order.queue_ahead == 300

    pit.trade(1000, 250, "sell")
    assert (pit.row("o1").filled_qty, queue(pit, "o1")) == (0, 50)
    pit.trade(1000, 120, "sell")  # 50 before her, 70 are hers
    assert fills(pit.events) == [(1000, 70)]
    receipt = next(e for e in pit.events if isinstance(e, FillRow)).receipt
    assert (receipt["queue_ahead"], receipt["print"]["size"]) == (50, 120)
    pit.trade(1000, 500, "sell")
    assert pit.row("o1").status == "filled"


def test_a_print_that_lifted_the_other_side_does_not_move_her_queue(pit: Pit):
    pit.quote(bids=((1000, 300),), asks=((1010, 100),))
    pit.buy(ALICE, 200, 1000)
    pit.trade(1000, 250, "buy")
    assert queue(pit, "o1") == 300


def test_a_print_through_her_price_fills_her_at_her_price(pit: Pit):
    pit.quote(bids=((1000, 300),), asks=((1010, 100),))
    pit.buy(ALICE, 200, 1000)
    pit.trade(999, 150, "sell")
    assert fills(pit.events) == [(1000, 150)]


def test_all_players_together_get_no_more_than_was_printed(pit: Pit):
    pit.quote(bids=((1000, 100),), asks=((1010, 100),))
    pit.buy(ALICE, 60, 1000)
    pit.buy(BOB, 60, 1000)
    pit.trade(1000, 180, "sell")
    assert (pit.row("o1").filled_qty, pit.row("o2").filled_qty) == (60, 20)


def test_displayed_size_that_came_after_alice_stands_between_her_and_bob(pit: Pit):
    """In line: 100 displayed, Alice 50, 200 displayed, Bob 50, 100 displayed."""
    pit.quote(bids=((1000, 100),), asks=((1010, 100),))
    pit.buy(ALICE, 50, 1000)
    pit.quote(bids=((1000, 300),), asks=((1010, 100),))
    pit.buy(BOB, 50, 1000)
    assert (queue(pit, "o1"), queue(pit, "o2")) == (100, 300)
    pit.quote(bids=((1000, 400),), asks=((1010, 100),))

    pit.sell(CAROL, 120, 1000)  # 100 displayed, 20 of Alice
    pit.sell(CAROL, 130, 1000)  # 30 of Alice, 100 displayed
    assert (pit.row("o1").status, queue(pit, "o2")) == ("filled", 100)
    pit.sell(CAROL, 200, 1000)  # 100 displayed, 50 of Bob, 50 displayed behind him
    carols = [(e.qty, e.against) for e in pit.events if isinstance(e, FillRow) and e.portfolio == CAROL]
    assert carols == [
        (100, "market"),
        (20, "player"),
        (30, "player"),
        (100, "market"),
        (100, "market"),
        (50, "player"),
        (50, "market"),
    ]


def test_a_print_uses_the_same_line(pit: Pit):
    pit.quote(bids=((1000, 100),), asks=((1010, 100),))
    pit.buy(ALICE, 50, 1000)
    pit.quote(bids=((1000, 300),), asks=((1010, 100),))
    pit.buy(BOB, 50, 1000)
    pit.trade(1000, 270, "sell")  # 100, Alice 50, 120 of the 200 before Bob
    assert (pit.row("o1").status, pit.row("o2").filled_qty, queue(pit, "o2")) == ("filled", 0, 80)


def test_the_queue_is_never_longer_than_what_is_displayed(pit: Pit):
    pit.quote(bids=((1000, 300), (999, 50)), asks=((1010, 100),))
    pit.buy(ALICE, 10, 1000)
    pit.buy(ALICE, 10, 998)
    pit.quote(bids=((1000, 120), (999, 50)), asks=((1010, 100),))
    assert queue(pit, "o1") == 120
    pit.quote(bids=((1001, 10), (999, 50)), asks=((1010, 100),))
    assert queue(pit, "o1") == 0  # the level would be seen and is not there


def test_a_price_deeper_than_the_last_level_is_not_seen(pit: Pit):
    pit.quote(bids=((1000, 300),), asks=((1010, 100),))
    pit.buy(ALICE, 10, 1000)
    pit.quote(bids=((1005, 10), (1004, 10)), asks=((1010, 100),))
    assert queue(pit, "o1") == 300


def test_a_quote_that_reaches_a_resting_order_fills_it_at_its_price(pit: Pit):
    pit.quote(bids=((1000, 300),), asks=((1010, 100),))
    pit.buy(ALICE, 100, 1005)
    pit.buy(BOB, 100, 1004)
    pit.quote(bids=((990, 10),), asks=((1003, 80), (1004, 50), (1005, 10)))
    got = [(e.order_id, e.price, e.qty) for e in pit.events if isinstance(e, FillRow)]
    assert got == [("o1", 1005, 100), ("o2", 1004, 30)]
    levels = [e.receipt["levels"] for e in pit.events if isinstance(e, FillRow)]
    assert [(lv["price"], lv["taken"]) for lv in levels[0]] == [(1003, 80), (1004, 20)]
    assert [(lv["price"], lv["size"], lv["taken"]) for lv in levels[1]] == [(1004, 30, 30)]


def test_nothing_before_an_order_fills_it(pit: Pit):
    pit.quote(bids=((1000, 10),), asks=((1010, 100),))
    pit.trade(995, 1_000, "sell")
    pit.trade(1000, 1_000, "sell")
    assert pit.buy(ALICE, 50, 1000).filled_qty == 0
    pit.trade(1000, 60, "sell")
    assert pit.row("o1").filled_qty == 50


def test_nothing_trades_on_an_old_quote_and_the_order_says_so(pit: Pit):
    pit.quote(bids=((990, 100),), asks=((1000, 100),))
    pit.wait(16)
    order = pit.buy(ALICE, 10, 1000)
    assert (order.status, order.receipt["waits"], order.receipt["rule"]["name"]) == (
        "new",
        "quote",
        "quote_age",
    )
    assert order.receipt["quote"]["age_ms"] == 16_000
    assert pit.sell(BOB, 10, 1000).status == "new"  # players do not meet either
    assert pit.buy(ALICE, 10).reason == "NO_FRESH_PRICE"
    assert pit.buy(ALICE, 10, 1000, "ioc").reason == "NO_FRESH_PRICE"
    assert pit.trade(990, 100, "sell") == []

    pit.quote(bids=((990, 100),), asks=((1000, 100),))
    assert [pit.row(name).status for name in ("o1", "o2")] == ["filled", "new"]


def test_at_the_limit_of_age_a_quote_still_counts(pit: Pit):
    pit.quote(asks=((1000, 100),))
    pit.at_ns += PLAIN.quote_age_ns_max
    assert pit.buy(ALICE, 10, 1000).status == "filled"


def test_a_one_sided_market_fills_only_the_side_it_shows(pit: Pit):
    pit.quote(asks=((1000, 100),))
    assert pit.buy(ALICE, 10).status == "filled"
    refused = pit.sell(ALICE, 10)
    assert (refused.reason, refused.receipt["detail"]) == ("NO_FRESH_PRICE", "Nobody bids for NLB.")
