"""Bad prices taken back: what the players keep, what they owe, and who hears of it."""

from __future__ import annotations

import pytest

from tests.engine import undo
from tests.engine.pit import A_SHARE, ALICE, BOB, Pit, codes
from trading.engine.accounts import CORPORATE, FEES, MINT, system_account
from trading.engine.commands import CorporateAction, SettleAction
from trading.engine.events import FillRow, Notice, TransferRow

ISSUERS = system_account(1, CORPORATE)


def rows(pit: Pit) -> list[FillRow]:
    return [event for event in pit.events if isinstance(event, FillRow)]


def notices(events: list) -> dict[int, Notice]:
    return {event.portfolio: event for event in events if isinstance(event, Notice)}


@pytest.fixture
def pit() -> Pit:
    """10.00 is the fair price; a bad tick shows 5.00, and Bob buys 100 at it."""
    pit = Pit()
    pit.open(ALICE)
    pit.open(BOB, 1_000_00)
    pit.quote(bids=((400, 1_000),), asks=((500, 1_000),))
    pit.buy(BOB, 100, 500)
    return pit


def test_bobs_bargain_is_taken_back_to_the_cent(pit: Pit):
    events = pit.do(undo.bust(pit, rows(pit), 1000))
    assert (pit.cash(BOB), pit.held(BOB)) == (1_000_00, 0)
    assert (pit.position(BOB).cost, pit.position(BOB).realised) == (0, 0)
    order = pit.row("o1")
    assert (order.status, order.filled_qty) == ("filled", 100)  # it keeps what it was told
    (back,) = [event for event in events if isinstance(event, FillRow)]
    assert (back.reverses, back.side, back.receipt["decided"]) == (1, "sell", "busted")
    assert all(event.reverses for event in events if isinstance(event, TransferRow))
    said = notices(events)[BOB]
    assert (said.code, said.facts["qty"], said.facts["cash"]) == ("TRADE_BUSTED", "-100", "500.00")


def test_a_fill_is_taken_back_once(pit: Pit):
    asked = undo.bust(pit, rows(pit), 1000)
    pit.do(asked)
    assert codes(pit.do(asked)) == ["ALREADY_REVERSED"]


def test_bob_who_has_sold_meanwhile_keeps_only_what_a_fair_price_would_have_brought(pit: Pit):
    """Bought at 5.00, sold at 11.00: at the fair 10.00 he would have earned 100.00, not 600.00."""
    pit.quote(bids=((1100, 1_000),), asks=((1101, 1_000),))
    pit.sell(BOB, 100, 1100)
    assert pit.cash(BOB) == 1_600_00
    events = pit.do(undo.bust(pit, rows(pit)[:1], 1000, cost={BOB: 0}))
    assert (pit.cash(BOB), pit.held(BOB), pit.position(BOB).realised) == (1_100_00, 0, 100_00)
    assert "settled at 10.00" in notices(events)[BOB].text


def test_open_offers_of_busted_shares_are_canceled_the_newest_first(pit: Pit):
    pit.give(BOB, 30)
    first, second = pit.sell(BOB, 30, 2000), pit.sell(BOB, 100, 2100)
    pit.do(undo.bust(pit, rows(pit), 1000))
    assert (pit.row(first.id).status, pit.row(second.id).status) == ("new", "canceled")
    assert pit.row(second.id).reason == "CORRECTED"


def test_who_sold_at_a_price_too_high_gives_the_cash_back_and_gets_the_shares(pit: Pit):
    pit = Pit()
    pit.open(ALICE, 0, holding=100)
    pit.quote(bids=((2000, 1_000),), asks=((2001, 1_000),))
    pit.sell(ALICE, 100, 2000)
    pit.do(undo.bust(pit, rows(pit), 1000))
    assert (pit.cash(ALICE), pit.held(ALICE)) == (0, 100)


def test_who_has_spent_the_cash_sells_of_the_returned_shares_at_the_fair_price(pit: Pit):
    """Sold 100 at 20.00 and bought others for it: 1,500.00 is missing, and 150 shares of 100 cannot pay."""
    pit = Pit()
    pit.open(ALICE, 1_000_00, holding=100)
    pit.quote(bids=((2000, 1_000),), asks=((2001, 1_000),))
    pit.sell(ALICE, 100, 2000)
    bad = rows(pit)
    pit.quote(bids=((999, 1_000),), asks=((1000, 1_000),))
    pit.buy(ALICE, 150, 1000)  # 1,500.00 left
    events = pit.do(undo.bust(pit, bad, 1000))
    assert (pit.cash(ALICE), pit.held(ALICE)) == (0, 200)
    assert notices(events)[ALICE].facts["settled_qty"] == "50"


def test_what_nobody_can_pay_back_is_refused_with_a_list_or_paid_by_the_house(pit: Pit):
    pit.quote(bids=((400, 1_000),), asks=((900, 2_000),))
    pit.sell(BOB, 100, 400)  # 900.00 left, and no share
    pit.buy(BOB, 100, 900)
    pit.give(BOB, -pit.held(BOB))
    assert pit.cash(BOB) == 0
    asked = undo.bust(pit, rows(pit)[:1], 1000)  # 500.00 back for shares worth 1,000.00
    events = pit.do(asked)
    assert codes(events) == ["REPAIR_SHORT"]
    assert events[0].facts == {"short": {str(BOB): 500_00}}
    before = pit.engine.state.system(MINT, "CNY").posted
    events = pit.do(undo.bust(pit, rows(pit)[:1], 1000, house_pays=True))
    assert pit.cash(BOB) == 0
    assert before - pit.engine.state.system(MINT, "CNY").posted == 500_00
    assert notices(events)[BOB].facts["house"] == "500.00"


def test_both_sides_of_a_match_are_put_back(pit: Pit):
    pit.quote(bids=((300, 10),), asks=((2000, 10),))
    pit.sell(BOB, 100, 700)
    pit.buy(ALICE, 40, 700)
    assert (pit.held(ALICE), pit.held(BOB)) == (40, 60)
    (hers,) = [row for row in rows(pit) if row.portfolio == ALICE]
    pit.do(undo.bust(pit, [hers], 1000, cost={ALICE: 0, BOB: 500_00}))
    assert (pit.held(ALICE), pit.cash(ALICE)) == (0, 1_000_000_00)
    assert (pit.held(BOB), pit.cash(BOB), pit.position(BOB).realised) == (100, 500_00, 0)


def test_fees_come_back_and_the_day_is_as_if_it_had_not_been():
    pit = Pit(A_SHARE, previous_close=1000)
    pit.open(ALICE)
    pit.quote(bids=((999, 1_000),), asks=((1000, 1_000),))
    pit.buy(ALICE, 100, 1000)
    assert pit.engine.state.system(FEES, "CNY").posted > 0
    pit.do(undo.bust(pit, rows(pit), 1000))
    position = pit.position(ALICE)
    assert (pit.cash(ALICE), position.day_cash, position.bought_today) == (1_000_000_00, 0, 0)
    assert pit.engine.state.system(FEES, "CNY").posted == 0


def test_a_correction_is_itself_taken_back(pit: Pit):
    before = (pit.cash(BOB), pit.position(BOB).row())
    events = pit.do(undo.bust(pit, rows(pit), 1000))
    again = pit.do(undo.reinstate(pit, events, 1000, {BOB: 500_00}))
    assert (pit.cash(BOB), pit.position(BOB).row()) == before
    assert notices(again)[BOB].code == "TRADE_REINSTATED"


def test_a_position_that_has_moved_is_not_corrected_by_an_old_plan(pit: Pit):
    asked = undo.bust(pit, rows(pit), 1000)
    found = (99, 500_00, 0)
    moved = [type(one)(one.portfolio, one.symbol, one.price, 0, 0, 0, found) for one in asked.settlements]
    stale = type(asked)(
        **{**{n: getattr(asked, n) for n in asked.__struct_fields__}, "settlements": tuple(moved)}
    )
    assert codes(pit.do(stale)) == ["BOOKS_MOVED"]


# --- corporate actions ------------------------------------------------------------------------------


def test_a_wrong_split_is_reversed_and_orders_are_what_they_were():
    pit = Pit()
    pit.open(ALICE, holding=105)
    pit.open(BOB)
    pit.buy(BOB, 33, 997, "gtc")
    pit.sell(ALICE, 50, 1055, "gtc")
    before = pit.engine.state_hash(), [pit.position(ALICE).row()]
    orders = [
        (row.qty, row.limit_price, row.reserved_cash, row.reserved_qty) for row in map(pit.row, ("o1", "o2"))
    ]
    events = pit.do(CorporateAction(ISSUERS, "split", pit.symbol, "split", new=10, price=100))
    pit.do(undo.reverse(pit, "split", events, 1000))
    after = [
        (row.qty, row.limit_price, row.reserved_cash, row.reserved_qty) for row in map(pit.row, ("o1", "o2"))
    ]
    assert (after, [pit.position(ALICE).row()]) == (orders, before[1])
    assert pit.engine.state.actions["split"].status == "reversed"
    assert codes(pit.do(undo.reverse(pit, "split", events, 1000))) == ["ALREADY_REVERSED"]


def test_alice_who_sold_after_a_wrong_split_pays_for_what_she_never_had():
    """100 became 1,000; she sold 500 at 10.00. 400 that are missing are settled at the fair 10.00."""
    pit = Pit()
    pit.open(ALICE, holding=100)
    events = pit.do(CorporateAction(ISSUERS, "split", pit.symbol, "split", new=10, price=100))
    pit.quote(bids=((1000, 10_000),), asks=((1001, 10_000),))
    pit.sell(ALICE, 500, 1000)
    pit.do(undo.reverse(pit, "split", events, 1000))
    assert (pit.held(ALICE), pit.cash(ALICE)) == (0, 1_000_000_00 + 5_000_00 - 4_000_00)


def test_a_wrong_dividend_that_was_paid_comes_back():
    pit = Pit()
    pit.open(ALICE, holding=100)
    events = pit.do(CorporateAction(ISSUERS, "div", pit.symbol, "dividend", cash=50, settles=True))
    events = [*events, *pit.do(SettleAction(ISSUERS, "div"))]
    pit.do(undo.reverse(pit, "div", events, 1000))
    assert (pit.cash(ALICE), pit.position(ALICE).realised) == (1_000_000_00, 0)
