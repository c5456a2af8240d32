"""Whatever was held and offered: an action or a bust that nothing has followed leaves no trace, undone."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine import undo
from tests.engine.pit import ALICE, BOB, CAROL, Pit
from trading.engine.accounts import CORPORATE, system_account
from trading.engine.commands import CorporateAction
from trading.engine.events import FillRow

ISSUERS = system_account(1, CORPORATE)
PEOPLE = (ALICE, BOB, CAROL)

holdings = st.lists(st.integers(0, 500), min_size=3, max_size=3)
buys = st.lists(st.tuples(st.sampled_from(PEOPLE), st.integers(1, 50)), max_size=6)
bids = st.lists(st.tuples(st.sampled_from(PEOPLE), st.integers(1, 40), st.integers(900, 990)), max_size=5)
offers = st.lists(st.tuples(st.sampled_from(PEOPLE), st.integers(1, 40), st.integers(1010, 1100)), max_size=5)
actions = st.one_of(
    st.builds(lambda cash, per: {"kind": "dividend", "cash": cash, "per": per, "reduce_by": cash // per},
              st.integers(1, 99), st.integers(1, 10)),
    st.builds(lambda new, old: {"kind": "split", "new": old + new, "old": old, "price": 777},
              st.integers(0, 20), st.integers(1, 10)),
    st.builds(lambda new, old: {"kind": "rights", "new": new, "old": old, "price": 500, "reduce_by": 7},
              st.integers(1, 5), st.integers(1, 10)),
)  # fmt: skip


def pit_of(held: list[int], bought: list[tuple[int, int]]) -> Pit:
    pit = Pit()
    for who, count in zip(PEOPLE, held, strict=True):
        pit.open(who, holding=count)
    pit.quote(bids=((999, 100_000),), asks=((1000, 100_000),))
    for who, count in bought:
        pit.buy(who, count, 1000)
    return pit


def rest(pit: Pit, bid: list[tuple[int, int, int]], offer: list[tuple[int, int, int]]) -> None:
    for who, count, price in bid:
        pit.buy(who, count, price, "gtc")
    for who, count, price in offer:
        pit.sell(who, count, price, "gtc")


def books(pit: Pit) -> tuple:
    """Cash, positions and what every open order holds; the versions of orders grow, and are left out."""
    state = pit.engine.state
    return (
        {key: (each.posted, each.reserved) for key, each in state.balances.items() if each.posted},
        {
            (who, each.symbol): each.row()
            for who in PEOPLE
            for each in state.portfolios[who].positions.values()
        },
        {
            each.id: (
                each.qty,
                each.price,
                each.limit_price,
                each.status,
                each.reserved_cash,
                each.reserved_qty,
            )
            for each in state.orders.values()
        },
    )


@settings(max_examples=60, deadline=None)
@given(held=holdings, bought=buys, bid=bids, offer=offers, terms=actions)
def test_an_action_and_its_reversal_are_nothing(held, bought, bid, offer, terms):
    pit = pit_of(held, bought)
    rest(pit, bid, offer)
    before = books(pit)
    orders = len(before[2])
    events = pit.do(CorporateAction(ISSUERS, "x", pit.symbol, **terms))
    if not undo.transfers_of(events, pit.symbol):
        return  # nobody held enough: nothing moved, and nothing is to be reversed
    pit.do(undo.reverse(pit, "x", events, 1000))
    after = books(pit)
    assert after[:2] == before[:2] or len(after[2]) < orders  # an order that did not fit has ended
    assert after[2] == {key: row for key, row in before[2].items() if key in after[2]}


@settings(max_examples=60, deadline=None)
@given(held=holdings, bought=buys, which=st.integers(0, 5), bid=bids)
def test_a_bust_and_its_reinstatement_are_nothing(held, bought, which, bid):
    pit = pit_of(held, bought)
    rest(pit, bid, [])
    made = [event for event in pit.events if isinstance(event, FillRow)]
    if not made:
        return
    chosen = made[which % len(made)]
    before = books(pit)
    cost = {chosen.portfolio: pit.position(chosen.portfolio).cost}
    events = pit.do(undo.bust(pit, [chosen], 1000))
    pit.do(undo.reinstate(pit, events, 1000, cost))
    assert books(pit) == before
