"""Grants and corrections, what they cost, and who may do what."""

from __future__ import annotations

from tests.engine.pit import ALICE, BOB, PLAIN, Pit, codes
from trading.engine.accounts import MINT, system_account
from trading.engine.commands import Adjust, Freeze, OpenPortfolio
from trading.engine.events import Notice, TransferRow


def test_alice_gets_her_start_cash_from_the_mint_once():
    pit = Pit()
    pit.open(ALICE, 1_000_00)
    (grant,) = [e for e in pit.events if isinstance(e, TransferRow)]
    assert (grant.debit, grant.credit, grant.amount, grant.code) == (
        system_account(1, MINT),
        ALICE,
        1_000_00,
        1,
    )
    assert codes(pit.do(OpenPortfolio(ALICE, "CNY", 1_000_00, "again"))) == ["PORTFOLIO_EXISTS"]
    assert pit.cash(ALICE) == 1_000_00


def test_bad_grants_are_refused():
    pit = Pit()
    for bad in ((0, "CNY", 1), (-5, "CNY", 1), (5, "", 1), (5, "CNY", -1)):
        assert codes(pit.do(OpenPortfolio(*bad, "x"))) == ["INVALID"]
    assert pit.engine.state.portfolios == {}


def test_a_correction_may_not_touch_what_orders_hold_back():
    pit = Pit()
    pit.open(ALICE, 100_00, holding=10)
    pit.buy(ALICE, 9, 1000)
    assert codes(pit.give(ALICE, -10_01, "CNY")) == ["INSUFFICIENT_CASH"]
    (notice,) = [e for e in pit.give(ALICE, -10_00, "CNY") if isinstance(e, Notice)]
    assert (notice.portfolio, notice.code, notice.facts["amount"]) == (ALICE, "ADJUSTED", -10_00)
    pit.sell(ALICE, 4, 2000)
    assert codes(pit.give(ALICE, -7)) == ["INSUFFICIENT_SELLABLE"]
    pit.give(ALICE, -6)
    assert pit.held(ALICE) == 4


def test_holdings_taken_away_take_their_cost_along_as_a_loss():
    pit = Pit()
    pit.open(ALICE)
    pit.quote(asks=((1000, 100),))
    pit.buy(ALICE, 10, 1000)
    pit.give(ALICE, -4)
    position = pit.position(ALICE)
    assert (position.cost, position.realised) == (60_00, -40_00)


def test_a_correction_of_bought_shares_leaves_the_lock_true():
    pit = Pit()
    pit.rules(lock_days=1)
    pit.open(ALICE, holding=5)
    pit.quote(asks=((1000, 100),))
    pit.buy(ALICE, 10, 1000)
    pit.give(ALICE, -8)  # the 5 that were free, and 3 of the 10 that are locked
    position = pit.position(ALICE)
    assert (position.held.posted, position.bought_today, position.sellable) == (7, 7, 0)


def test_corrections_need_a_portfolio_an_asset_and_an_amount():
    pit = Pit()
    pit.open(ALICE)
    assert codes(pit.do(Adjust(BOB, "CNY", 1, "", "x"))) == ["UNKNOWN_ACCOUNT"]
    assert codes(pit.give(ALICE, 5, "GOLD")) == ["INVALID"]
    assert codes(pit.give(ALICE, 0, "CNY")) == ["INVALID"]
    assert codes(pit.do(Freeze(BOB, True, "", "x"))) == ["UNKNOWN_ACCOUNT"]


def test_an_unknown_portfolio_and_an_unknown_symbol_are_told_apart():
    pit = Pit()
    pit.open(ALICE)
    assert pit.buy(ALICE, 1, 1, symbol="NOPE").reason == "UNKNOWN_SYMBOL"
    pit.seq += 1
    asked = pit.commands[-1][0]
    events = pit.engine.apply(
        asked.__class__(BOB, "q", "q", "NLB", "buy", "limit", "day", 1, 1, 0), pit.seq, pit.at_ns
    )
    assert codes(events) == ["UNKNOWN_ACCOUNT"]


def test_cash_of_one_currency_buys_nothing_priced_in_another():
    pit = Pit()
    pit.open(ALICE, 100, currency="USDT")
    refused = pit.buy(ALICE, 1, 1)
    assert (refused.reason, refused.receipt["facts"]) == ("UNSUPPORTED", {"currency": "CNY", "cash": "USDT"})


def test_an_order_too_large_for_any_number_is_refused():
    pit = Pit()
    pit.open(ALICE, holding=100)
    pit.rules(qty_max=2**62)
    assert pit.buy(ALICE, 2**62, 2**62).reason == "EXCEEDS_LIMIT"
    assert pit.sell(ALICE, 1, 2**63).reason == "EXCEEDS_LIMIT"
    assert pit.buy(ALICE, 10, 0).reason == "BAD_TICK_SIZE"
    assert pit.buy(ALICE, 10, -5).reason == "BAD_TICK_SIZE"
    assert PLAIN.qty_max == 1_000_000
