"""Carol trades steel rebar and index futures: margin, settlement, today's and yesterday's lots, expiry.

rb: 10 t a contract, tick 1 CNY/t, SHFE keeps today's position apart; 0.01 % to open and to close.
IF: 300 CNY a point, 0.0023 %, closing today's 0.0345 % (CFFEX).
"""

from __future__ import annotations

import msgspec
import pytest

from market.rulebook.rules import FeeRule
from tests.engine.pit import ALICE, BOB, CAROL, DAY, PLAIN, Pit
from tests.engine.test_short_and_margin import notices
from trading.engine.accounts import CLEARING
from trading.engine.commands import MarginTerms
from trading.engine.margin import standing

RB = msgspec.structs.replace(
    PLAIN,
    symbol="rb2701",
    asset="rb2701",
    price_exponent=0,
    multiplier=10,
    kind="future",
    is_contract=True,
    close_today_apart=True,
    margin_long_ppb=80_000_000,
    margin_short_ppb=80_000_000,
    maintenance_long_ppb=70_000_000,
    maintenance_short_ppb=70_000_000,
    last_day=20261116,
    fees=(FeeRule("commission", "both", 100_000, 0, "rb.fee"),),
)
IF = msgspec.structs.replace(
    RB,
    symbol="IF2612",
    asset="IF2612",
    price_exponent=1,
    tick=2,
    multiplier=300,
    close_today_apart=False,
    margin_long_ppb=120_000_000,
    margin_short_ppb=120_000_000,
    fees=(
        FeeRule("commission", "both", 23_000, 0, "if.open", effect="open"),
        FeeRule("commission", "both", 23_000, 0, "if.close", effect="close"),
        FeeRule("commission", "both", 345_000, 0, "if.today", effect="close_today"),
    ),
)
TERMS = MarginTerms()


def pit_of(rules, settled: int) -> Pit:
    pit = Pit(rules)
    pit.open(CAROL, 1_000_000_00, margin=TERMS)
    pit.reference(settled)
    show(pit, settled)
    return pit


def show(pit: Pit, price: int) -> None:
    tick = pit.engine.state.markets[pit.symbol].rules.tick
    pit.quote(bids=((price - tick, 500),), asks=((price, 500),))
    pit.trade(price, 1)


def next_day(pit: Pit, day: int, settlement: int) -> None:
    pit.phase("continuous", day=day)
    pit.reference(settlement + 7, settlement=settlement, day=day)  # the last trade was another price


@pytest.fixture
def rb() -> Pit:
    return pit_of(RB, 3_500)


def test_a_contract_costs_its_fee_and_holds_its_margin(rb: Pit):
    """10 contracts at 3,500: worth 350,000.00; fee 0.01 % = 35.00; margin 8 % = 28,000.00."""
    row = rb.buy(CAROL, 10, 3_500)
    assert (row.status, row.fees, row.terms.effect) == ("filled", 35_00, "open")
    assert rb.cash(CAROL) == 1_000_000_00 - 35_00
    now = standing(rb.engine.state.portfolios[CAROL])
    assert (now.equity, now.initial, now.maintenance) == (999_965_00, 28_000_00, 24_500_00)


def test_margin_is_asked_of_the_settlement_price_not_of_the_last(rb: Pit):
    rb.buy(CAROL, 10, 3_500)
    show(rb, 3_600)
    now = standing(rb.engine.state.portfolios[CAROL])
    assert now.initial == 28_000_00
    assert now.equity == 999_965_00 + 10_000_00  # 100 x 10 t x 10 contracts


def test_every_day_is_settled_in_cash(rb: Pit):
    """Bought at 3,500, settled at 3,520: 20 x 10 x 10 = 2,000.00; then at 3,490: 3,000.00 back."""
    rb.buy(CAROL, 10, 3_500)
    next_day(rb, DAY + 1, 3_520)
    assert rb.cash(CAROL) == 999_965_00 + 2_000_00
    assert rb.position(CAROL).cost == 352_000_00
    assert rb.engine.state.system(CLEARING, "CNY").posted == -2_000_00
    next_day(rb, DAY + 2, 3_490)
    assert rb.cash(CAROL) == 999_965_00 - 1_000_00
    assert [told.facts["result"] for told in notices(rb, "SETTLED")] == [2_000_00, -3_000_00]


def test_the_same_reference_again_settles_nothing(rb: Pit):
    """A feed that reconnects tells the day's references again."""
    rb.buy(CAROL, 10, 3_500)
    next_day(rb, DAY + 1, 3_520)
    rb.buy(CAROL, 1, 3_500, tif="ioc")
    before = rb.cash(CAROL), rb.position(CAROL).cost
    rb.reference(3_527, settlement=3_520, day=DAY + 1)
    assert (rb.cash(CAROL), rb.position(CAROL).cost) == before


def test_nothing_is_matched_before_yesterday_is_settled(rb: Pit):
    rb.buy(CAROL, 10, 3_490, tif="gtc", order_id="rests")
    rb.phase("continuous", day=DAY + 1)
    show(rb, 3_480)
    assert rb.row("rests").filled_qty == 0
    assert rb.buy(CAROL, 1).reason == "NO_FRESH_PRICE"
    rb.reference(3_500, settlement=3_500, day=DAY + 1)
    show(rb, 3_480)
    assert rb.row("rests").status == "filled"


def test_a_short_contract_earns_when_it_falls(rb: Pit):
    rb.sell(CAROL, 10, 3_499)
    assert rb.held(CAROL) == -10
    show(rb, 3_400)
    closed = rb.buy(CAROL, 10, 3_400)
    assert closed.terms.effect == "close_today"
    assert rb.cash(CAROL) == 1_000_000_00 + 9_900_00 - 34_99 - 34_00
    assert rb.position(CAROL).cost == 0


def test_shanghai_closes_todays_and_yesterdays_apart(rb: Pit):
    rb.buy(CAROL, 3, 3_500)
    next_day(rb, DAY + 1, 3_500)
    show(rb, 3_500)
    rb.buy(CAROL, 2, 3_500)
    refused = rb.sell(CAROL, 5, 3_499)
    assert (refused.reason, refused.receipt["facts"]["sellable"]) == ("INSUFFICIENT_SELLABLE", 3)
    refused = rb.ask(CAROL, "sell", 3, 3_499, position_intent="sell_to_close_today")
    assert refused.receipt["facts"]["sellable"] == 2
    assert rb.ask(CAROL, "sell", 2, 3_499, position_intent="sell_to_close_today").status == "filled"
    assert rb.position(CAROL).bought_today == 0
    assert rb.ask(CAROL, "sell", 3, 3_499, position_intent="sell_to_close").status == "filled"
    assert rb.held(CAROL) == 0


def test_closing_todays_index_futures_costs_fifteen_times_as_much():
    """4,000.0 x 300 = 1,200,000.00 a contract: 0.0023 % = 27.60 to open, 0.0345 % = 414.00 to close today."""
    pit = pit_of(IF, 4_000_0)
    assert pit.buy(CAROL, 1, 4_000_0).fees == 27_60
    show(pit, 4_000_2)
    closed = pit.sell(CAROL, 1, 4_000_0)
    assert (closed.terms.effect, closed.fees) == ("close_today", 414_00)
    pit.buy(CAROL, 1, 4_000_2)
    next_day(pit, DAY + 1, 4_000_0)
    show(pit, 4_000_2)
    closed = pit.sell(CAROL, 1, 4_000_0)
    assert (closed.terms.effect, closed.fees) == ("close", 27_60)


def test_an_order_to_close_today_ends_with_the_day(rb: Pit):
    rb.buy(CAROL, 2, 3_500)
    rb.ask(CAROL, "sell", 2, 3_600, tif="gtc", position_intent="sell_to_close_today", order_id="late")
    next_day(rb, DAY + 1, 3_500)
    assert (rb.row("late").status, rb.row("late").reason) == ("canceled", "POSITION_INTENT")


def test_players_trade_contracts_with_each_other(rb: Pit):
    """What one wins the other loses, by way of the clearing account."""
    rb.open(ALICE, 1_000_000_00, margin=TERMS)
    rb.quote(bids=((3_000, 1),), asks=((4_000, 1),))
    rb.sell(ALICE, 5, 3_500)
    rb.buy(CAROL, 5, 3_500)
    assert (rb.held(ALICE), rb.held(CAROL)) == (-5, 5)
    next_day(rb, DAY + 1, 3_510)
    assert rb.cash(CAROL) - 1_000_000_00 == 500_00 - 17_50
    assert rb.cash(ALICE) - 1_000_000_00 == -500_00 - 17_50
    assert rb.engine.state.system(CLEARING, "CNY").posted == 0


def test_an_expired_contract_is_settled_in_cash(rb: Pit):
    rb.buy(CAROL, 10, 3_500)
    rb.sell(CAROL, 4, 3_900, tif="gtc", order_id="rests")
    next_day(rb, 20261117, 3_550)
    assert rb.held(CAROL) == 0
    assert rb.cash(CAROL) == 999_965_00 + 5_000_00
    assert rb.row("rests").status == "canceled"
    assert [told.code for told in notices(rb, "EXPIRED")] == ["EXPIRED"]
    refused = rb.buy(CAROL, 1, 3_550)
    assert (refused.reason, refused.receipt["detail"]) == ("NOT_TRADABLE", "rb2701 expired on 20261116.")


def test_a_cash_portfolio_trades_no_contracts(rb: Pit):
    rb.open(BOB, 1_000_000_00)
    assert rb.buy(BOB, 1, 3_500).reason == "SHORT_NOT_ALLOWED"


def test_bob_cannot_open_more_than_his_margin(rb: Pit):
    """28,000.00 + fee hold ten contracts of 2,800.00 each."""
    rb.open(BOB, 28_035_00, margin=TERMS)
    assert rb.buy(BOB, 11, 3_500).reason == "INSUFFICIENT_CASH"
    assert rb.buy(BOB, 10, 3_500).status == "filled"
    assert rb.buy(BOB, 1, 3_500).reason == "INSUFFICIENT_CASH"


def test_bob_is_liquidated_when_steel_falls(rb: Pit):
    """28,035 own money on ten contracts: at 3,460 equity is 24,000, maintenance 24,500; at 3,340 12,000."""
    rb.open(BOB, 28_035_00, margin=TERMS)
    rb.buy(BOB, 10, 3_500)
    show(rb, 3_460)
    assert [told.portfolio for told in notices(rb, "MARGIN_CALL")] == [BOB]
    show(rb, 3_340)
    forced = [row for row in rb.audit.orders.values() if row.terms and row.terms.forced]
    assert [(row.side, row.filled_qty, row.terms.effect) for row in forced] == [("sell", 6, "close_today")]
    now = standing(rb.engine.state.portfolios[BOB])
    assert now.equity >= now.maintenance


def test_an_order_in_a_contract_is_changed():
    pit = pit_of(RB, 3_500)
    order = pit.buy(CAROL, 5, 3_400, "gtc")
    pit.replace(CAROL, order.id, qty=3)
    assert (pit.row(order.id).qty, pit.row(order.id).reserved_cash) == (3, 3 * 2_803_50)
    pit.replace(CAROL, order.id, limit_price=3_501)
    assert (pit.row(order.id).status, pit.held(CAROL)) == ("filled", 3)
