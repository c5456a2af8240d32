"""Alice buys on credit and sells short: 50 % of what she opens must be her own (Regulation T, 12 CFR 220.12),
and 25 % or, short, 30 % of what she keeps (FINRA rule 4210(c))."""

from __future__ import annotations

import msgspec
import pytest

from market.rulebook.rules import FeeRule
from tests.engine.pit import ALICE, BOB, CAROL, PLAIN, Pit, codes, fills, stand
from tests.engine.test_preview import preview
from trading.engine.accounts import CORPORATE, LENDER, system_account
from trading.engine.commands import CorporateAction, ExerciseRights, Leg, MarginTerms, SetRules
from trading.engine.events import Notice
from trading.engine.margin import standing

STOCK = msgspec.structs.replace(
    PLAIN,
    lot=1,
    margin_long_ppb=500_000_000,
    margin_short_ppb=500_000_000,
    maintenance_long_ppb=250_000_000,
    maintenance_short_ppb=300_000_000,
    short_allowed=True,
    borrow_ppb=36_000_000,  # 3.6 % a year: 0.01 % a day
)
TERMS = MarginTerms(leverage=2, shorts=True, interest_ppb=72_000_000, call_s=1_800)
DAY = 20261102


@pytest.fixture
def pit() -> Pit:
    made = Pit(STOCK, previous_close=100_00)
    made.open(ALICE, 10_000_00, margin=TERMS)
    made.quote(bids=((99_99, 1_000),), asks=((100_00, 1_000),))
    made.trade(100_00, 1)
    return made


def equity(pit: Pit, who: int = ALICE) -> int:
    return standing(pit.engine.state.portfolios[who]).equity


def notices(pit: Pit, code: str) -> list[Notice]:
    return [event for event in pit.events if isinstance(event, Notice) and event.code == code]


def test_alice_buys_for_twice_her_money(pit: Pit):
    row = pit.buy(ALICE, 200, 100_00)
    assert row.status == "filled"
    assert row.terms.effect == "open"
    assert pit.cash(ALICE) == -10_000_00  # she owes half of it
    assert equity(pit) == 10_000_00
    assert standing(pit.engine.state.portfolios[ALICE])[1:3] == (10_000_00, 5_000_00)


def test_an_order_on_credit_is_changed_by_the_rules_of_credit(pit: Pit):
    row = pit.buy(ALICE, 150, 90_00, "gtc")
    pit.replace(ALICE, row.id, qty=200)
    assert (pit.row(row.id).qty, pit.row(row.id).reserved_cash) == (200, 10_000_00)
    assert codes(pit.replace(ALICE, row.id, qty=201)) == ["INSUFFICIENT_CASH"]


def test_a_short_sale_that_rests_is_changed_and_a_close_never_exceeds_the_position(pit: Pit):
    short = pit.sell(ALICE, 50, 110_00, "gtc")
    pit.replace(ALICE, short.id, qty=60, limit_price=109_00)
    assert (pit.row(short.id).qty, pit.row(short.id).reserved_cash) == (60, 3_000_00)
    pit.replace(ALICE, short.id, limit_price=99_99)
    assert pit.held(ALICE) == -60
    cover = pit.buy(ALICE, 60, 90_00, "gtc")
    assert codes(pit.replace(ALICE, cover.id, qty=61)) == ["INSUFFICIENT_SELLABLE"]
    pit.replace(ALICE, cover.id, qty=59)
    assert (pit.row(cover.id).qty, pit.row(cover.id).reserved_qty) == (59, 59)


def test_a_changed_order_holds_what_it_may_cost_by_the_mark_of_now(pit: Pit):
    row = pit.buy(ALICE, 100, 90_00, "gtc")
    assert row.reserved_cash == 5_000_00  # half of what they are worth, at 100.00
    pit.trade(120_00, 1)
    pit.replace(ALICE, row.id, qty=99)
    assert pit.row(row.id).reserved_cash == 5_940_00


def test_and_not_for_more(pit: Pit):
    row = pit.buy(ALICE, 201, 100_00)
    assert (row.status, row.reason) == ("rejected", "INSUFFICIENT_CASH")
    assert row.receipt["facts"]["needed"] == 10_050_00
    assert row.receipt["facts"]["free"] == 10_000_00


def test_a_game_may_ask_for_more_than_the_rulebook(pit: Pit):
    pit.open(BOB, 10_000_00, margin=MarginTerms(leverage=1, shorts=True))
    assert pit.buy(BOB, 101, 100_00).reason == "INSUFFICIENT_CASH"
    assert pit.buy(BOB, 100, 100_00).status == "filled"


def test_open_orders_hold_margin_and_give_it_back(pit: Pit):
    pit.buy(ALICE, 100, 90_00)
    assert pit.engine.state.portfolios[ALICE].cash.reserved == 5_000_00  # half of the mark
    assert pit.buy(ALICE, 101, 100_00).reason == "INSUFFICIENT_CASH"
    pit.cancel_all(ALICE)
    assert pit.engine.state.portfolios[ALICE].cash.reserved == 0


def test_what_a_price_is_worse_than_the_mark_is_held_in_full(pit: Pit):
    """Else she could give a friend, at a price from the moon, what the lender would never see again."""
    pit.quote()  # nobody shows anything: the order will rest
    row = pit.buy(ALICE, 50, 120_00, tif="gtc")
    assert row.reserved_cash == 50 * (50_00 + 20_00)
    assert pit.sell(ALICE, 1, 100_00).reason == "POSITION_INTENT"  # the other way round meanwhile


def test_alice_sells_short_and_covers(pit: Pit):
    sold = pit.sell(ALICE, 100, 99_99)
    assert (sold.status, sold.terms.effect) == ("filled", "open")
    assert pit.held(ALICE) == -100
    assert pit.cash(ALICE) == 10_000_00 + 9_999_00  # the proceeds stay, as collateral
    assert pit.position(ALICE).cost == -9_999_00
    assert equity(pit) == 10_000_00 - 100  # 0.01 a share below the mark
    pit.quote(bids=((89_99, 1_000),), asks=((90_00, 1_000),))
    pit.trade(90_00, 1)
    assert equity(pit) == 10_999_00
    bought = pit.buy(ALICE, 100, 90_00)
    assert (bought.status, bought.terms.effect) == ("filled", "close")
    assert pit.held(ALICE) == 0
    assert pit.position(ALICE).realised == 999_00
    assert pit.cash(ALICE) == 10_999_00


def test_short_proceeds_buy_nothing(pit: Pit):
    """Selling short asks 50 % besides what it brings: after 200 shares nothing is free."""
    assert pit.sell(ALICE, 198, 99_99).status == "filled"
    assert pit.sell(ALICE, 3, 99_99).reason == "INSUFFICIENT_CASH"
    assert pit.sell(ALICE, 1, 99_99).status == "filled"


def test_what_she_holds_she_closes_before_she_sells_short(pit: Pit):
    pit.buy(ALICE, 100, 100_00)
    assert pit.sell(ALICE, 150, 99_99).reason == "INSUFFICIENT_SELLABLE"
    assert pit.sell(ALICE, 100, 99_99).terms.effect == "close"
    assert pit.sell(ALICE, 50, 99_99).terms.effect == "open"
    assert pit.held(ALICE) == -50


@pytest.mark.parametrize(
    ("held", "side", "intent", "status"),
    [
        (0, "buy", "buy_to_open", "filled"),
        (0, "buy", "buy_to_close", "rejected"),
        (0, "sell", "sell_to_open", "filled"),
        (0, "sell", "sell_to_close", "rejected"),
        (0, "sell", "buy_to_open", "rejected"),
        (10, "buy", "buy_to_open", "filled"),
        (10, "sell", "sell_to_close", "filled"),
        (10, "sell", "sell_to_close_today", "filled"),  # lots are not told apart here
        (10, "sell", "sell_to_open", "rejected"),
        (10, "buy", "buy_to_close", "rejected"),
        (-10, "buy", "buy_to_close", "filled"),
        (-10, "buy", "buy_to_open", "rejected"),
        (-10, "sell", "sell_to_open", "filled"),
        (-10, "sell", "sell_to_close", "rejected"),
    ],
)
def test_an_intent_is_a_guard(pit: Pit, held: int, side: str, intent: str, status: str):
    if held:
        pit.order(ALICE, "buy" if held > 0 else "sell", 10)
    row = pit.ask(ALICE, side, 10, position_intent=intent)
    assert row.status == status
    if status == "rejected":
        assert row.reason == "POSITION_INTENT"


def test_a_cash_portfolio_sells_only_what_it_holds(pit: Pit):
    pit.open(BOB, 10_000_00)
    assert pit.sell(BOB, 1, 99_99).reason == "INSUFFICIENT_SELLABLE"
    assert pit.ask(BOB, "sell", 1, 99_99, position_intent="sell_to_open").reason == "SHORT_NOT_ALLOWED"
    assert pit.ask(BOB, "buy", 1, 100_00, position_intent="buy_to_open").status == "filled"
    assert pit.ask(BOB, "sell", 1, 99_99, position_intent="sell_to_close").status == "filled"


def test_shorts_need_the_game_and_the_rulebook(pit: Pit):
    pit.open(BOB, 10_000_00, margin=MarginTerms(leverage=2))
    refused = pit.sell(BOB, 1, 99_99)
    assert (refused.reason, refused.receipt["rule"]["name"]) == ("SHORT_NOT_ALLOWED", "portfolio")
    pit.rules(short_allowed=False)
    refused = pit.sell(ALICE, 1, 99_99)
    assert (refused.reason, refused.receipt["rule"]["name"]) == ("SHORT_NOT_ALLOWED", "short")


def test_closing_a_short_position_whole_and_in_part(pit: Pit):
    pit.sell(ALICE, 100, 99_99)
    assert stand(pit, pit.close_position(ALICE, share_ppb=500_000_000).id) == [("filled", 50, 50)]
    assert stand(pit, pit.close_position(ALICE).id) == [("filled", 50, 50)]
    assert pit.close_position(ALICE) is None  # nothing is left
    assert pit.held(ALICE) == 0


def test_alice_and_bob_meet_while_both_are_short(pit: Pit):
    """Shares that do not exist are lent twice: the market is short of nothing, the sum stays nothing."""
    pit.open(BOB, 10_000_00, margin=TERMS)
    pit.open(CAROL, 100_000_00)
    pit.quote()
    pit.buy(CAROL, 150, 100_00)
    pit.sell(ALICE, 100, 100_00)
    pit.sell(BOB, 50, 100_00)
    pit.quote(bids=((99_99, 1_000),), asks=((100_00, 1_000),))
    assert [pit.held(who) for who in (ALICE, BOB, CAROL)] == [-100, -50, 150]


def test_a_weekend_costs_three_days(pit: Pit):
    """10,000.00 owed at 7.2 % from Friday to Monday: 10,000.00 x 0.072 x 3 / 360 = 6.00."""
    pit.phase("continuous", day=20261106)  # a Friday
    pit.buy(ALICE, 200, 100_00)
    pit.phase("continuous", day=20261109)
    assert pit.cash(ALICE) == -10_006_00
    assert pit.engine.state.system(LENDER, "CNY").posted == 6_00
    (told,) = notices(pit, "INTEREST")
    assert told.facts == {
        "currency": "CNY", "owed": 10_000_00, "rate_ppb": 72_000_000, "days": 3, "amount": 6_00,
    }  # fmt: skip
    pit.phase("closed", day=20261109)
    assert pit.cash(ALICE) == -10_006_00  # once a day


def test_a_night_of_borrowing_costs_its_fee(pit: Pit):
    """100 shares worth 100.00 at 3.6 % a year: 10,000.00 x 0.036 / 360 = 1.00 a night."""
    pit.sell(ALICE, 100, 99_99)
    pit.phase("continuous", day=DAY + 1)
    (told,) = notices(pit, "BORROW_FEE")
    assert told.facts["amount"] == 1_00
    assert pit.position(ALICE).realised == -1_00


def test_fees_are_part_of_what_an_order_may_cost(pit: Pit):
    pit.rules(fees=(FeeRule("commission", "both", 1_000_000, 0, "fee"),))  # 0.1 %
    assert pit.buy(ALICE, 200, 100_00).reason == "INSUFFICIENT_CASH"
    row = pit.buy(ALICE, 199, 100_00)
    assert (row.status, row.fees) == ("filled", 19_90)
    assert equity(pit) == 10_000_00 - 19_90


def test_the_preview_says_what_the_order_does(pit: Pit):
    from_preview = preview(pit, "sell", 10, 99_99)
    assert from_preview["position_intent"] == "sell_to_open"
    assert from_preview["free_cash_after"] == 10_000_00 - 500_00 - 10
    too_much = preview(pit, "buy", 500, 100_00)
    assert too_much["refusal"]["code"] == "INSUFFICIENT_CASH"
    assert too_much["nearest"]["qty"] == 200


def test_a_stop_loss_of_a_short_position_buys_it_back(pit: Pit):
    pit.sell(ALICE, 100, 99_99)
    stop = pit.ask(ALICE, "buy", 100, kind="stop", stop_price=110_00, tif="gtc")
    assert (stop.reserved_qty, stop.terms.effect) == (100, "close")
    pit.quote(bids=((109_99, 1_000),), asks=((110_00, 1_000),))
    assert fills(pit.trade(110_00, 1)) == [(110_00, 100)]
    assert pit.held(ALICE) == 0


def test_a_bracket_on_margin_protects_what_it_bought(pit: Pit):
    legs = ("P", "L")
    profit, loss = Leg("P", "c-P", limit_price=105_00), Leg("L", "c-L", stop_price=95_00)
    pit.ask(ALICE, "buy", 100, 100_00, order_class="bracket", take_profit=profit, stop_loss=loss, tif="gtc")
    assert [pit.row(leg).terms.effect for leg in legs] == ["close", "close"]
    pit.quote(bids=((105_00, 1_000),), asks=((105_01, 1_000),))
    assert stand(pit, *legs)[0] == ("filled", 100, 100)
    assert pit.held(ALICE) == 0


def test_shares_that_an_operator_gives_end_the_short_sale_that_rests(pit: Pit):
    """Filled, it would have sold what she was given as if it were borrowed: a cost, and nothing held."""
    pit.open(BOB, 10_000_00, margin=TERMS)
    short, other = pit.sell(ALICE, 1, 103_00, "gtc"), pit.sell(BOB, 1, 104_00, "gtc")
    pit.give(ALICE, 1)
    row = pit.row(short.id)
    assert (row.status, row.reason, row.reserved_cash) == ("canceled", "CORRECTED", 0)
    assert row.receipt["rule"]["name"] == "correction"
    assert pit.row(other.id).status == "new", "somebody else's order stays"
    pit.quote(bids=((103_00, 10),), asks=((103_01, 10),))
    sold = pit.sell(ALICE, 1, 103_00)
    assert (sold.status, sold.terms.effect, pit.held(ALICE), pit.position(ALICE).cost) == (
        "filled",
        "close",
        0,
        0,
    )
    assert pit.position(ALICE).realised == 103_00


def test_a_bid_that_rests_stays_when_an_operator_gives_or_takes(pit: Pit):
    bid = pit.buy(ALICE, 1, 90_00, "gtc")
    pit.give(ALICE, 5)
    pit.give(ALICE, -5)
    assert pit.row(bid.id).status == "new"


def test_rights_are_used_neither_against_a_short_position_nor_against_a_short_sale(pit: Pit):
    issuers = system_account(1, CORPORATE)
    pit.give(ALICE, 10)
    pit.do(CorporateAction(issuers, "rights", pit.symbol, "rights", new=1, old=1, price=50_00))
    pit.reference(95_00)
    pit.quote(bids=((99_99, 1_000),), asks=((100_00, 1_000),))
    pit.sell(ALICE, 10, 99_99)
    resting = pit.sell(ALICE, 5, 103_00, "gtc")
    refused = pit.do(ExerciseRights(ALICE, "rights", 10, "x1", 0))
    assert codes(refused) == ["POSITION_INTENT"]
    pit.cancel(ALICE, resting.id)
    pit.sell(ALICE, 5, 99_99)
    assert codes(pit.do(ExerciseRights(ALICE, "rights", 10, "x2", 0))) == ["POSITION_INTENT"]
    pit.buy(ALICE, 5, 100_00)
    pit.do(ExerciseRights(ALICE, "rights", 10, "x3", 0))
    assert (pit.held(ALICE), pit.position(ALICE).cost) == (10, 500_00)
    assert ALICE in pit.engine.state.markets[pit.symbol].holders, "its mark is hers from now on"


def test_what_a_short_sale_brought_pays_for_no_new_shares(pit: Pit):
    new, other = pit.symbol, msgspec.structs.replace(STOCK, symbol="OTH", asset="OTH")
    pit.give(ALICE, 10)
    pit.do(CorporateAction(system_account(1, CORPORATE), "rights", new, "rights", new=1, old=1, price=50_00))
    pit.do(SetRules(other))
    pit.symbol = "OTH"
    pit.reference(100_00)
    pit.quote(bids=((100_00, 1_000),), asks=((100_01, 1_000),))
    pit.trade(100_00, 1)
    pit.sell(ALICE, 180, 100_00)
    pit.trade(108_00, 1)
    assert pit.cash(ALICE) == 28_000_00
    assert codes(pit.do(ExerciseRights(ALICE, "rights", 10, "x1", 0))) == ["INSUFFICIENT_CASH"]
    pit.trade(100_00, 1)
    pit.do(ExerciseRights(ALICE, "rights", 10, "x2", 0))
    assert pit.cash(ALICE) == 27_500_00
