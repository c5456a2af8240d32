"""Short positions and contracts: a fill that is taken back leaves what would have been without it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine import undo
from tests.engine.pit import ALICE, BOB, Pit, after, codes
from tests.engine.test_contracts import RB
from tests.engine.test_contracts import TERMS as ON_MARGIN
from tests.engine.test_corrections import notices
from tests.engine.test_short_and_margin import STOCK, TERMS
from trading.engine.accounts import CLEARING, MARKET
from trading.engine.commands import Correct, Settlement
from trading.engine.events import FillRow, Notice
from trading.refold_margin import Folded, Step, fold

FEES = msgspec.structs.replace(STOCK, fees=RB.fees)  # 0.01 %: what is undone must bring the fees back too
DAY = 20261102


def made(pit: Pit) -> list[FillRow]:
    return [event for event in pit.events if isinstance(event, FillRow) and not event.reverses]


def history(pit: Pit, who: int) -> list[Step]:
    steps: list[Step] = []
    for event in pit.events:
        if isinstance(event, FillRow) and event.portfolio == who and not event.reverses:
            buys, effect = event.side == "buy", event.receipt["effect"]
            steps.append(
                Step("trade", event.market_day, event.n, buys, event.qty, event.cash, event.fee, effect)
            )
        elif isinstance(event, Notice) and event.portfolio == who and event.code == "SETTLED":
            steps.append(Step("mark", price=event.facts["price"]))
        elif isinstance(event, Notice) and event.portfolio == who and event.code == "BORROW_FEE":
            steps.append(Step("exact", realised=-event.facts["amount"]))
    return steps


def folded(pit: Pit, who: int, fair: int, undone: frozenset[int] = frozenset()) -> Folded:
    market = pit.engine.state.markets[pit.symbol]
    rules = market.rules
    return fold(
        history(pit, who),
        contract=rules.is_contract,
        locks=False,
        fair=fair,
        worth=lambda qty, price: market.worth(price, qty),
        undone=undone,
    )


def correction(
    pit: Pit, asked: Correct, fair: int, numbers: frozenset[int], undone: frozenset[int]
) -> Correct:
    """The same with its settlements worked out: `undone`, without which fills the position is wanted."""
    settled = []
    for who in {one.portfolio for one in asked.settlements}:
        row = pit.position(who).row()
        now = row.qty, row.cost, row.realised
        wanted = folded(pit, who, fair, undone)
        qty = cash = 0
        for each in asked.transfers:
            sign = (each.debit == who) - (each.credit == who)
            qty += sign * each.amount if each.asset == pit.symbol else 0
            cash += sign * each.amount if each.asset == "CNY" else 0
        contract = pit.engine.state.markets[pit.symbol].rules.is_contract
        result = wanted.realised - now[2] - cash if contract else 0
        settled.append(
            Settlement(
                who, pit.symbol, fair, wanted.qty - now[0] - qty, 0, wanted.cost, now, result, wanted.day
            )
        )
    return msgspec.structs.replace(asked, settlements=tuple(settled))


def bust(pit: Pit, fills: list[FillRow], fair: int) -> Correct:
    matches = {row.match for row in fills}
    numbers = frozenset(row.n for row in made(pit) if row.match in matches)
    return correction(pit, undo.bust(pit, fills, fair), fair, numbers, numbers)


# --- stories --------------------------------------------------------------------------------------


@pytest.fixture
def street() -> Pit:
    """100.00 is the fair price."""
    pit = Pit(STOCK, previous_close=100_00)
    pit.open(ALICE, 100_000_00, margin=TERMS)
    show(pit, 100_00)
    return pit


def show(pit: Pit, price: int) -> None:
    pit.quote(bids=((price, 10_000),), asks=((price + 1, 10_000),))
    pit.trade(price, 1)


def test_a_short_sale_at_a_bad_price_is_taken_back(street: Pit):
    show(street, 200_00)
    street.sell(ALICE, 100, 200_00)
    assert street.held(ALICE) == -100
    events = street.do(bust(street, made(street), 100_00))
    assert (street.held(ALICE), street.cash(ALICE)) == (0, 100_000_00)
    assert (street.position(ALICE).cost, street.position(ALICE).realised) == (0, 0)
    assert notices(events)[ALICE].facts["qty"] == "100"


def test_alice_who_covered_meanwhile_keeps_what_a_fair_price_would_have_brought(street: Pit):
    """Sold at a wrong 200.00, covered at 90.01: fairly sold at 100.00 she would have earned 999.00."""
    show(street, 200_00)
    street.sell(ALICE, 100, 200_00)
    bad = made(street)
    show(street, 90_00)
    street.buy(ALICE, 100, 90_01)
    assert street.cash(ALICE) == 110_999_00
    events = street.do(bust(street, bad, 100_00))
    assert (street.held(ALICE), street.cash(ALICE)) == (0, 100_999_00)
    assert street.position(ALICE).realised == 999_00
    assert notices(events)[ALICE].facts["settled_qty"] == "100"


def test_a_cover_at_a_bad_price_leaves_her_short_again(street: Pit):
    street.sell(ALICE, 100, 100_00)
    show(street, 50_00)
    street.buy(ALICE, 100, 50_01)
    street.do(bust(street, made(street)[1:], 100_00))
    assert (street.held(ALICE), street.cash(ALICE)) == (-100, 110_000_00)
    assert (street.position(ALICE).cost, street.position(ALICE).realised) == (-10_000_00, 0)


def test_what_she_cannot_pay_back_she_owes_and_is_called_for(street: Pit):
    """A profit of 71,991.00 that never was; on the strength of it she bought 3,400 on credit."""
    street.sell(ALICE, 900, 100_00)
    show(street, 20_00)
    street.buy(ALICE, 900, 20_01)
    bad = made(street)[1:]
    show(street, 100_00)
    street.buy(ALICE, 3_400, 100_01)
    show(street, 90_00)
    assert not codes(street.do(bust(street, bad, 100_00)))
    assert street.held(ALICE) == 2_500  # what she bought since covers the 900 first
    show(street, 60_00)
    called = [event for event in street.events if isinstance(event, Notice) and "MARGIN" in event.code]
    assert called


def test_orders_against_the_position_and_closes_of_what_is_gone_are_canceled(street: Pit):
    street.sell(ALICE, 100, 100_00)
    covers = street.buy(ALICE, 100, 80_00, "gtc")
    opens = street.sell(ALICE, 50, 120_00, "gtc")
    street.do(bust(street, made(street), 100_00))
    assert [street.row(each.id).status for each in (covers, opens)] == ["canceled", "new"]
    assert street.row(covers.id).reason == "CORRECTED"


def test_a_contract_that_was_settled_meanwhile_is_as_if_it_had_not_been_bought():
    """Bought at a wrong 3,000, settled at 3,500 and 3,600: 5,000.00 and 1,000.00 a lot come back."""
    pit = Pit(RB)
    pit.open(BOB, 1_000_000_00, margin=ON_MARGIN)
    pit.reference(3_500)
    show(pit, 3_000)
    pit.buy(BOB, 2, 3_001)
    day = after(DAY)
    pit.phase("continuous", day=day)
    pit.reference(3_600, day=day, settlement=3_600)
    assert pit.cash(BOB) > 1_000_000_00
    pit.do(bust(pit, made(pit), 3_500))
    position = pit.position(BOB)
    assert (pit.cash(BOB), pit.held(BOB), position.cost, position.realised) == (1_000_000_00, 0, 0, 0)
    assert pit.engine.state.system(CLEARING, "CNY").posted == 0
    assert pit.engine.state.system(MARKET, pit.symbol).posted == 0


def test_a_contract_is_not_taken_back_without_its_days():
    pit = Pit(RB)
    pit.open(BOB, 1_000_000_00, margin=ON_MARGIN)
    pit.reference(3_500)
    show(pit, 3_000)
    pit.buy(BOB, 2, 3_001)
    assert codes(pit.do(undo.bust(pit, made(pit), 3_500))) == ["INVALID"]


def test_where_shorts_are_not_allowed_nobody_becomes_short():
    pit = Pit(msgspec.structs.replace(STOCK, short_allowed=False), previous_close=100_00)
    pit.open(ALICE, 100_000_00, margin=TERMS)
    show(pit, 50_00)
    pit.buy(ALICE, 100, 50_01)
    bad = made(pit)
    show(pit, 110_00)
    pit.sell(ALICE, 100, 110_00)
    pit.do(bust(pit, bad, 100_00))
    assert (pit.held(ALICE), pit.cash(ALICE)) == (0, 101_000_00)


# --- whatever was traded --------------------------------------------------------------------------

trades = st.lists(
    st.tuples(st.sampled_from(("buy", "sell")), st.integers(1, 9), st.integers(-5, 5)), min_size=1, max_size=9
)
rules = st.sampled_from((FEES, RB))


def traded(rules, wanted, *, without: int = -1, day_after: int = -1) -> Pit:
    """One after another, at its own price; a new day after trade `day_after`. An order never does both."""
    pit = Pit(rules)
    pit.open(ALICE, 10_000_000_00, margin=TERMS)
    pit.reference(3_500, settlement=3_500)
    day = DAY
    for place, (side, lots, away) in enumerate(wanted):
        show(pit, 3_500 + away * 7)
        held = pit.held(ALICE)
        closes = held < 0 if side == "buy" else held > 0
        qty = min(lots, abs(held)) if closes else lots
        if place != without:
            pit.order(ALICE, side, qty)
        if place == day_after:
            day = after(day)
            pit.phase("continuous", day=day)
            pit.reference(3_550, day=day, settlement=3_550)
    return pit


def books(pit: Pit) -> tuple:
    balances = pit.engine.state.balances.items()
    return {key: each.posted for key, each in balances if each.posted}, pit.position(ALICE).row()


@settings(max_examples=60, deadline=None)
@given(rules=rules, wanted=trades, day_after=st.integers(-1, 8))
def test_the_fold_of_its_fills_and_days_is_the_position(rules, wanted, day_after):
    pit = traded(rules, wanted, day_after=day_after)
    if not made(pit):
        return
    row = pit.position(ALICE).row()
    found = folded(pit, ALICE, 3_500)
    assert found[:3] == (row.qty, row.cost, row.realised)


@settings(max_examples=60, deadline=None)
@given(rules=rules, wanted=trades, which=st.integers(0, 8), day_after=st.integers(-1, 8))
def test_a_bust_and_its_reinstatement_are_nothing(rules, wanted, which, day_after):
    pit = traded(rules, wanted, day_after=day_after)
    fills = made(pit)
    if not fills:
        return
    before, chosen = books(pit), fills[which % len(fills)]
    events = pit.do(bust(pit, [chosen], 3_500))
    assert not codes(events)
    asked = undo.reinstate(pit, events, 3_500, {ALICE: 0})
    pit.do(correction(pit, asked, 3_500, frozenset(), frozenset()))
    after_it = books(pit)
    assert after_it[0] == before[0]
    assert (after_it[1].qty, after_it[1].cost, after_it[1].realised) == (
        before[1].qty, before[1].cost, before[1].realised,
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(rules=rules, wanted=trades, day_after=st.integers(-1, 8))
def test_the_last_fill_taken_back_was_never_there(rules, wanted, day_after):
    """Without borrow fees: those that were paid for the nights stay paid. A contract that ended its day flat
    was not marked to market: what comes back counts at the fair price, and only its worth is the same."""
    rules = msgspec.structs.replace(rules, borrow_ppb=0)
    pit = traded(rules, wanted, day_after=day_after)
    if not made(pit) or made(pit)[-1].order_id != f"o{len(wanted)}":
        return
    pit.do(bust(pit, [row for row in made(pit) if row.order_id == f"o{len(wanted)}"], 3_500))
    other = traded(rules, wanted, without=len(wanted) - 1, day_after=day_after)
    if not made(other):
        assert (pit.held(ALICE), pit.cash(ALICE)) == (0, 10_000_000_00)
        return
    mine, its = pit.position(ALICE).row(), other.position(ALICE).row()
    assert (mine.qty, pit.cash(ALICE) - mine.cost) == (its.qty, other.cash(ALICE) - its.cost)
    if day_after != len(wanted) - 1:
        assert (mine.cost, mine.realised) == (its.cost, its.realised)
