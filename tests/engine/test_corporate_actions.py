"""Dividends, splits, rights, new names and the end of a listing, as their holders live through them."""

from __future__ import annotations

import msgspec
import pytest

from tests.engine.pit import A_SHARE, ALICE, BOB, DAY, PLAIN, Pit, codes
from trading.engine.accounts import CORPORATE, system_account
from trading.engine.commands import CorporateAction, ExerciseRights, Leg, SetRules, SettleAction
from trading.engine.events import Notice

ISSUERS = system_account(1, CORPORATE)


def action(pit: Pit, key: str, kind: str, **terms: object) -> list:
    return pit.do(CorporateAction(ISSUERS, key, pit.symbol, kind, **terms))


def held_by(pit: Pit, who: int, asset: str) -> int:
    balance = pit.engine.state.balances.get((who, asset))
    return balance.posted if balance else 0


def told(events: list) -> list[tuple[int, str]]:
    return [(event.portfolio, event.code) for event in events if isinstance(event, Notice)]


@pytest.fixture
def pit() -> Pit:
    """Alice holds 105 that cost 10.00 each; Bob has none."""
    pit = Pit()
    pit.open(ALICE)
    pit.open(BOB)
    pit.quote(bids=((999, 1_000),), asks=((1000, 1_000),))
    pit.buy(ALICE, 105, 1000)
    pit.phase("continuous", day=DAY + 1)
    return pit


def test_alice_gets_her_dividend_once(pit: Pit):
    """3.85 for every 10: 105 shares bring 40.425, rounded down."""
    before = pit.cash(ALICE)
    events = action(pit, "div", "dividend", cash=385, per=10)
    assert pit.cash(ALICE) - before == 40_42
    assert pit.position(ALICE).realised == 40_42
    assert told(events) == [(ALICE, "ACTION_DIVIDEND")]
    assert codes(action(pit, "div", "dividend", cash=385, per=10)) == ["ACTION_APPLIED"]
    assert pit.cash(ALICE) - before == 40_42


def test_who_sells_on_the_ex_date_still_gets_what_is_paid_later(pit: Pit):
    before = pit.cash(ALICE)
    action(pit, "div", "dividend", cash=100, settles=True)
    assert (pit.cash(ALICE), held_by(pit, ALICE, "due.CNY.div")) == (before, 105_00)
    pit.quote(bids=((900, 1_000),), asks=((901, 1_000),))
    pit.sell(ALICE, 105, 900)
    pit.do(SettleAction(ISSUERS, "div"))
    assert pit.cash(ALICE) == before + 105 * 900 + 105_00
    assert held_by(pit, ALICE, "due.CNY.div") == 0
    assert codes(pit.do(SettleAction(ISSUERS, "div"))) == ["ACTION_APPLIED"]


def test_a_split_multiplies_shares_and_restates_open_orders(pit: Pit):
    pit.buy(BOB, 30, 995, "gtc")
    pit.sell(ALICE, 50, 1055, "gtc")
    first, second = list(pit.audit.orders)[-2:]
    action(pit, "split", "split", new=10, old=1, price=100)
    assert (pit.held(ALICE), pit.position(ALICE).cost) == (1050, 1050_00)
    bid, ask = pit.row(first), pit.row(second)
    assert (bid.qty, bid.limit_price, bid.reserved_cash, bid.exec_type) == (300, 99, 297_00, "restated")
    assert (ask.qty, ask.limit_price, ask.reserved_qty) == (500, 106, 500)
    assert bid.receipt["was"] == {"qty": 30, "price": 995, "limit_price": 995}


def test_nothing_fills_on_a_quote_from_before_the_split(pit: Pit):
    action(pit, "split", "split", new=10, old=1, price=100)
    waits = pit.buy(BOB, 10, 1000)
    assert (waits.status, waits.receipt["waits"]) == ("new", "quote")
    pit.quote(bids=((99, 10_000),), asks=((100, 10_000),))
    assert pit.row(waits.id).status == "filled"


def test_a_reverse_split_pays_what_is_left_of_a_share_and_cancels_orders(pit: Pit):
    """105 become 10; the half is paid at 100.00 a share. Its cost goes with it."""
    order = pit.sell(ALICE, 50, 1055, "gtc")
    before = pit.cash(ALICE)
    action(pit, "rev", "split", new=1, old=10, price=10_000)
    assert (pit.held(ALICE), pit.cash(ALICE) - before) == (10, 50_00)
    assert (pit.position(ALICE).cost, pit.position(ALICE).realised) == (1000_00, 0)
    assert (pit.row(order.id).status, pit.row(order.id).reason) == ("canceled", "CORPORATE_ACTION")


def test_a_dividend_lowers_bids_and_sell_stops_and_leaves_offers(pit: Pit):
    bid = pit.buy(BOB, 10, 995, "gtc")
    ask = pit.sell(ALICE, 10, 1055, "gtc")
    stop = pit.ask(ALICE, "sell", 10, kind="stop", tif="gtc", stop_price=950)
    action(pit, "div", "dividend", cash=25, reduce_by=25)
    assert (pit.row(bid.id).limit_price, pit.row(ask.id).limit_price) == (970, 1055)
    assert pit.row(stop.id).terms.stop_price == 925
    pit.quote(bids=((924, 100),), asks=((926, 100),))
    pit.trade(925, 1, "sell")
    assert pit.row(stop.id).status == "filled"


def test_linked_orders_do_not_survive_a_split(pit: Pit):
    pit.ask(ALICE, "sell", 10, 1100, "gtc", order_id="oco", order_class="oco",
            stop_loss=Leg("loss", "c-loss", stop_price=900))  # fmt: skip
    action(pit, "split", "split", new=2, old=1)
    assert [pit.row(one).status for one in ("oco", "loss")] == ["canceled", "canceled"]


def test_shares_bought_today_stay_locked_in_a_split():
    pit = Pit(A_SHARE, previous_close=1000)
    pit.open(ALICE)
    pit.quote(bids=((999, 1_000),), asks=((1000, 1_000),))
    pit.buy(ALICE, 100, 1000)
    action(pit, "bonus", "bonus", new=13, old=10)
    position = pit.position(ALICE)
    assert (position.held.posted, position.bought_today, position.sellable) == (130, 130, 0)
    pit.phase("continuous", day=DAY + 1)
    assert position.sellable == 130


def test_alice_uses_some_of_her_rights_and_the_rest_is_sold(pit: Pit):
    """3 new for every 10 held, at 8.00: 31 rights; she takes 20, the other 11 are worth 1.50 each."""
    before = pit.cash(ALICE)
    action(pit, "rights", "rights", new=3, old=10, price=800)
    assert held_by(pit, ALICE, "right.rights") == 31
    pit.do(ExerciseRights(ALICE, "rights", 20, "x1", 0))
    assert (pit.held(ALICE), pit.cash(ALICE)) == (125, before - 160_00)
    assert pit.position(ALICE).cost == 1050_00 + 160_00
    assert codes(pit.do(ExerciseRights(ALICE, "rights", 12, "x2", 0))) == ["NO_RIGHTS"]
    assert codes(pit.do(ExerciseRights(BOB, "rights", 1, "x3", 0))) == ["NO_RIGHTS"]
    pit.do(SettleAction(ISSUERS, "rights", price=150))
    assert pit.cash(ALICE) == before - 160_00 + 16_50
    assert codes(pit.do(ExerciseRights(ALICE, "rights", 1, "x4", 0))) == ["RIGHTS_ENDED"]


def test_rights_cost_cash_that_is_free(pit: Pit):
    action(pit, "rights", "rights", new=1, old=1, price=900)
    pit.quote(bids=((999, 100_000),), asks=((1000, 100_000),))
    free = pit.free(ALICE)
    pit.buy(ALICE, free // 900, 900, "gtc")
    assert codes(pit.do(ExerciseRights(ALICE, "rights", 105, "x", 0))) == ["INSUFFICIENT_CASH"]
    assert codes(pit.do(ExerciseRights(ALICE, "none", 1, "x", 0))) == ["UNKNOWN_ACTION"]


def test_a_new_name_takes_holding_and_cost_along(pit: Pit):
    pit.do(SetRules(msgspec.structs.replace(PLAIN, symbol="NEW", asset="NEW")))
    order = pit.sell(ALICE, 5, 1055, "gtc")
    action(pit, "name", "rename", into="NEW")
    new = pit.engine.state.portfolios[ALICE].positions["NEW"]
    assert (pit.held(ALICE), new.held.posted, new.cost, pit.position(ALICE).cost) == (0, 105, 1050_00, 0)
    assert pit.row(order.id).reason == "CORPORATE_ACTION"


def test_a_delisting_pays_the_last_price_or_nothing(pit: Pit):
    before = pit.cash(ALICE)
    action(pit, "end", "delisting", price=200)
    assert (pit.held(ALICE), pit.cash(ALICE) - before) == (0, 210_00)
    assert pit.position(ALICE).realised == 210_00 - 1050_00
    pit.give(BOB, 7)
    before = pit.cash(BOB)
    action(pit, "worthless", "delisting")
    assert (pit.held(BOB), pit.cash(BOB)) == (0, before)


def test_nonsense_is_refused(pit: Pit):
    bad = [
        {"kind": "split", "new": 0},
        {"kind": "dividend", "cash": 0},
        {"kind": "dividend", "cash": -5},
        {"kind": "bonus", "new": 1, "old": 2},
        {"kind": "delisting", "price": -1},
    ]
    for terms in bad:
        assert codes(action(pit, "bad", **terms)) == ["INVALID"], terms
    assert codes(action(pit, "k" * 30, "split", new=2)) == ["INVALID"]
    assert codes(action(pit, "name", "rename", into="NOPE")) == ["UNKNOWN_SYMBOL"]
    assert codes(pit.do(CorporateAction(ISSUERS, "x", "NOPE", "split", new=2))) == ["UNKNOWN_SYMBOL"]
    assert codes(pit.do(CorporateAction(ALICE, "x", "NLB", "split", new=2))) == ["INVALID"]
    assert codes(pit.do(SettleAction(ISSUERS, "x"))) == ["UNKNOWN_ACTION"]
