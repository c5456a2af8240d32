"""What stands before whom in a line, asked of its sums and of a list in which everybody is visited."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.engine.pit import ALICE, BOB, Pit, queue
from trading.engine.line import BOUNDS_KEPT, Line

SIZES = st.integers(0, 40)
STEPS = st.lists(st.tuples(st.sampled_from(["come", "take", "shrink", "leave"]), SIZES), max_size=200)


@given(STEPS)
def test_a_line_knows_what_a_visit_to_everybody_would_find(steps: list[tuple[str, int]]) -> None:
    line, standing, naive = Line(), {}, {}  # by number of who came: place, what stands before them
    for what, size in steps:
        if what == "come":
            line.came += 1
            standing[line.came], naive[line.came] = line.used + size, size
        elif what == "take":
            line.take(size)
            naive = {who: max(ahead - size, 0) for who, ahead in naive.items()}
        elif what == "shrink":
            line.shrink(size)
            naive = {who: min(ahead, size) for who, ahead in naive.items()}
        elif naive:  # somebody leaves
            gone = sorted(naive)[size % len(naive)]
            del standing[gone], naive[gone]
        assert {who: line.ahead(place, who) for who, place in standing.items()} == naive


def test_a_line_in_which_one_stands_for_ever_stays_short() -> None:
    line, longest = Line(), 0
    for n in range(100_000):
        line.came += 1
        line.shrink(50 + n % 30)
        line.take(3)
        longest = max(longest, len(line._bounds))
    assert longest <= BOUNDS_KEPT + 1


def test_hundreds_who_rest_are_moved_by_a_quote_that_visits_none_of_them() -> None:
    """Alice and 300 orders of Bob's behind her, at a price that each quote shows."""
    pit = Pit(previous_close=1000)
    pit.open(ALICE)
    pit.open(BOB)
    pit.quote(bids=((995, 500),), asks=((1005, 500),))
    first = pit.buy(ALICE, 10, 995, "gtc")
    others = [pit.buy(BOB, 1, 995, "gtc").id for _ in range(300)]
    assert (queue(pit, first.id), queue(pit, others[-1])) == (500, 500)
    places = [pit.engine.state.orders[other]._place for other in others]
    pit.quote(bids=((995, 200),), asks=((1005, 500),))
    pit.trade(995, 50, "sell")
    assert (queue(pit, first.id), queue(pit, others[0]), queue(pit, others[-1])) == (150, 150, 150)
    assert [pit.engine.state.orders[other]._place for other in others] == places, "nobody was visited"
    pit.trade(995, 155, "sell")
    assert (pit.held(ALICE), queue(pit, first.id), queue(pit, others[-1])) == (5, 0, 0)
    pit.trade(995, 15, "sell")
    assert (pit.held(ALICE), pit.held(BOB)) == (10, 10), "in the order in which they came"
    assert pit.engine.state.markets[pit.symbol].bids.lines.keys() == {995}
    pit.cancel_all(BOB)
    assert not pit.engine.state.markets[pit.symbol].bids.lines
