"""Bob's margin: the call, its deadline, and what the exchange does when it is not met."""

from __future__ import annotations

import msgspec
import pytest

from market.rulebook.rules import FeeRule
from market.ticks import Reference
from tests.engine.pit import ALICE, BOB, DAY, NS, Pit
from tests.engine.test_short_and_margin import STOCK, TERMS, notices
from trading.engine.commands import MarginTerms, SetRules
from trading.engine.engine import Engine
from trading.engine.margin import standing
from trading.engine.records import PortfolioState

CALL_S = 1_800


@pytest.fixture
def pit() -> Pit:
    made = Pit(STOCK, previous_close=100_00)
    made.open(BOB, 10_000_00, margin=TERMS)
    show(made, 100_00)
    made.buy(BOB, 200, 100_00)  # half of it is lent
    return made


def show(pit: Pit, price: int, *, size: int = 1_000) -> None:
    """The market goes to a price: it displays it, and prints it."""
    pit.quote(bids=((price - 1, size),), asks=((price, size),))
    pit.trade(price, 1)


def now(pit: Pit) -> tuple[int, int, int]:
    return standing(pit.engine.state.portfolios[BOB])[:3]


def forced(pit: Pit) -> list[tuple[str, int]]:
    return [(row.side, row.filled_qty) for row in pit.audit.orders.values() if row.terms and row.terms.forced]


def test_no_call_above_the_maintenance_margin(pit: Pit):
    show(pit, 66_67)  # 200 x 66.67 - 10,000 = 3,334 against a quarter of 13,334
    assert now(pit)[0] >= now(pit)[2]
    assert notices(pit, "MARGIN_CALL") == []


def test_below_it_bob_is_called_and_told_until_when(pit: Pit):
    show(pit, 66_66)
    (told,) = notices(pit, "MARGIN_CALL")
    assert told.facts["equity"] == 3_332_00
    assert told.facts["maintenance"] == 3_333_00
    assert told.facts["deadline"] == pit.at_ns + CALL_S * NS
    assert forced(pit) == []
    show(pit, 66_00)
    assert len(notices(pit, "MARGIN_CALL")) == 1  # told once


def test_a_better_market_meets_the_call(pit: Pit):
    show(pit, 66_00)
    show(pit, 70_00)
    assert len(notices(pit, "MARGIN_CALL_MET")) == 1
    assert pit.engine.state.called == {}
    pit.wait(CALL_S + 1)
    show(pit, 70_00)
    assert forced(pit) == []


def test_money_meets_the_call(pit: Pit):
    show(pit, 66_00)
    pit.give(BOB, 1_000_00, "CNY")
    pit.phase("continuous")
    assert len(notices(pit, "MARGIN_CALL_MET")) == 1


def test_when_the_deadline_passes_the_exchange_closes_as_much_as_it_takes(pit: Pit):
    """At 66.00: equity 3,200, initial 6,600; 103.03 shares give back the missing 3,400 at 33.00 each."""
    show(pit, 66_00)
    pit.sell(BOB, 10, 80_00, tif="gtc", order_id="hope")
    pit.wait(CALL_S)
    show(pit, 66_00)
    pit.phase("continuous")
    assert pit.row("hope").reason == "MARGIN_CALL"
    assert forced(pit) == [("sell", 104)]
    assert pit.held(BOB) == 96
    assert now(pit)[0] >= now(pit)[1] - 104  # the bid is one below the mark
    assert len(notices(pit, "MARGIN_CALL_MET")) == 1


def test_the_fees_of_closing_are_closed_for_as_well(pit: Pit):
    """The fee is 1 %, at least 50.00. At 66.00 each share gives back 33.00 less 0.66 and 0.01."""
    dear = FeeRule("commission", "both", 10_000_000, 50_00, "dear")
    pit.do(SetRules(msgspec.structs.replace(STOCK, fees=(dear,))))
    show(pit, 66_00)
    pit.wait(CALL_S)
    show(pit, 66_00)
    pit.phase("continuous")
    assert forced(pit) == [("sell", 106)]  # 3,400 / 32.33 = 105.2; 104 without the fees
    equity, initial, maintenance = now(pit)
    assert equity >= initial >= maintenance
    assert len(notices(pit, "MARGIN_CALL_MET")) == 1


def test_every_forced_order_says_why(pit: Pit):
    show(pit, 66_00)
    pit.wait(CALL_S)
    show(pit, 66_00)
    pit.phase("continuous")
    (row,) = [row for row in pit.audit.orders.values() if row.terms and row.terms.forced]
    assert row.client_order_id.startswith("forced ")
    assert row.receipt["rule"]["name"] == "margin"
    assert "was not met in time" in row.receipt["rule"]["text"]
    assert "3200.00" in row.receipt["rule"]["text"]
    assert len(row.id) == 36
    assert row.id[14] == "7"


def test_at_half_of_the_maintenance_margin_there_is_no_waiting(pit: Pit):
    """At 57.14: equity 1,428 is half of 2,857; 4,286 are missing, at 28.57 a share."""
    show(pit, 57_14)
    assert len(notices(pit, "MARGIN_CALL")) == 1
    assert forced(pit) == [("sell", 151)]
    assert "half of the maintenance margin" in list(pit.audit.orders.values())[-1].terms.forced


def test_the_collar_holds_and_the_rest_is_tried_again(pit: Pit):
    pit.quote(bids=((57_13, 40), (50_00, 1_000)), asks=((57_14, 10),))
    pit.trade(57_14, 1)
    assert forced(pit) == [("sell", 40)]  # 50.00 is further off than the collar of 5 %
    pit.wait(CALL_S)  # less than half is missing now: the call runs on
    show(pit, 57_14)
    pit.phase("continuous")
    assert sum(qty for _, qty in forced(pit)) == 151


def test_a_halted_market_is_waited_for(pit: Pit):
    show(pit, 66_00)
    pit.halt()
    pit.wait(CALL_S)
    pit.phase("continuous")
    assert forced(pit) == []
    pit.halt(False)
    show(pit, 66_00)
    pit.phase("continuous")
    assert [side for side, _ in forced(pit)] == ["sell"]


def test_a_short_squeeze(pit: Pit):
    """Short 100 at 99.99, 10,000 own money: at 154.00 equity is 4,599, and 30 % of 15,400 is 4,620."""
    pit.open(ALICE, 10_000_00, margin=TERMS)
    pit.sell(ALICE, 100, 99_99)
    show(pit, 153_00)
    assert [each for each in notices(pit, "MARGIN_CALL") if each.portfolio == ALICE] == []
    show(pit, 154_00)
    (told,) = [each for each in notices(pit, "MARGIN_CALL") if each.portfolio == ALICE]
    assert (told.facts["equity"], told.facts["maintenance"]) == (4_599_00, 4_620_00)
    pit.wait(CALL_S)
    show(pit, 154_00)
    pit.phase("continuous")
    assert ("buy", 41) in forced(pit)


def test_the_position_that_asks_the_most_goes_first(pit: Pit):
    small = msgspec.structs.replace(STOCK, symbol="SML", asset="SML")
    pit.do(SetRules(small))
    show(pit, 110_00)
    pit.symbol = "SML"
    pit.reference(10_00)
    show(pit, 10_00)
    assert pit.buy(BOB, 100, 10_00).status == "filled"
    pit.symbol = "NLB"
    show(pit, 57_00)
    first = next(row for row in pit.audit.orders.values() if row.terms and row.terms.forced)
    assert first.symbol == "NLB"


def test_shares_of_today_are_locked_and_the_rest_is_sold_tomorrow(pit: Pit):
    pit = Pit(msgspec.structs.replace(STOCK, lock_days=1), previous_close=100_00)
    pit.open(BOB, 10_000_00, margin=TERMS)
    show(pit, 100_00)
    pit.buy(BOB, 200, 100_00)
    show(pit, 57_00)
    assert forced(pit) == []
    pit.phase("continuous", day=DAY + 1)
    show(pit, 57_00)
    assert [side for side, _ in forced(pit)] == ["sell"]


def test_after_a_restart_nothing_is_decided_before_every_mark_is_known(pit: Pit):
    """Marks come with the feed: until then neither a call nor a forced order, and then the same ones."""
    show(pit, 66_00)
    state = pit.engine.state
    again = Engine(1)
    again.restore(
        portfolios=[
            PortfolioState(
                one.id, one.currency, one.status, one.reason, one.margin, one.call_ns, one.accrued_day
            )
            for one in state.portfolios.values()
        ],
        balances=[balance.row() for balance in state.balances.values()],
        positions=[p.row() for one in state.portfolios.values() for p in one.positions.values()],
        orders=[],
        fills_n=state.fills_n,
        transfers_n=state.transfers_n,
    )
    assert again.state_hash() == pit.engine.state_hash()
    assert again.breaches() == []
    assert list(again.state.called) == [BOB]
    assert standing(again.state.portfolios[BOB]).known is False
    pit.engine = again
    pit.do(SetRules(STOCK))
    pit.wait(CALL_S)
    pit.phase("continuous")
    assert forced(pit) == []
    at = pit.at_ns
    pit.do(Reference("NLB", DAY, 100_00, 0, 0, at, at, "sim", last=66_00))  # what late comers are told
    show(pit, 66_00)
    pit.phase("continuous")
    assert forced(pit) == [("sell", 104)]


def test_the_time_of_a_call_is_the_games(pit: Pit):
    pit.open(ALICE, 10_000_00, margin=MarginTerms(leverage=2, call_s=60))
    pit.buy(ALICE, 200, 100_00)
    show(pit, 66_00)
    told = {each.portfolio: each.facts["deadline"] for each in notices(pit, "MARGIN_CALL")}
    assert told[BOB] - told[ALICE] == (CALL_S - 60) * NS
