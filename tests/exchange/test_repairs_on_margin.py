"""Bad ticks taken back where somebody was short, or held a contract over the day's settlement."""

from __future__ import annotations

import pytest

from market.models import Instrument, World
from market.ticks import Reference
from simgame.kernel import clock
from simgame.kernel.errors import Invalid
from tests.exchange import street
from tests.exchange.test_margin import (
    STEEL,
    cash_of,
    codes_told,
    move,
    next_day,
    open_margin,
    say_print,
    trade,
)
from tests.exchange.test_repairs import sound
from trading import proposals
from trading.models import Fill, Position

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(transactional_db: None) -> World:
    """Without a band: a wrong price may be far off."""
    made = street.make_world()
    Instrument.objects.filter(world=made).update(board="open")
    return made


def heard(world, feed):
    """The exchange has applied all that the feed has said."""
    street.wait_for(lambda: street.status(world)["tick_seq"] >= feed.said, "the last tick")


def busted(world, staff, fill, fair):
    carol, dave = staff
    asked = {"fills": [fill.pk], "price": fair}
    return proposals.approve(proposals.propose(world, "bust", asked, "a bad tick", by=carol).pk, by=dave)


def books(who):
    row = Position.objects.get(portfolio_id=who)
    return cash_of(who), row.qty, row.cost, row.realised


def test_a_short_sale_that_was_covered_counts_at_the_fair_price_and_may_count_again(
    exchange, world, feed, staff
):
    """Alice sells 100 at a wrong 20.00 and covers at 9.01; sold at 10.00 she would have earned 99.00."""
    alice = open_margin(world, "alice")
    move(feed, 2001)
    heard(world, feed)
    assert trade(world, alice, "sell", 100, 2000).status == "filled"
    move(feed, 901)
    heard(world, feed)
    trade(world, alice, "buy", 100, 901)
    before = books(alice)
    cover = Fill.objects.get(side="buy")
    first = busted(world, staff, Fill.objects.get(side="sell", reverses=None), "10.00")
    assert first.status == "applied", first.result
    assert books(alice) == (10_000_00 + 99_00 - cover.fee, 0, 0, 99_00 - cover.fee)
    carol, dave = staff
    again = proposals.propose(world, "reinstate", {}, "the tick was good", by=dave, undoes=first)
    assert proposals.approve(again.pk, by=carol).status == "applied"
    assert books(alice) == before
    sound(world)


def test_a_contract_held_over_the_settlement_gives_the_days_result_back(world, feed, staff):
    Instrument.objects.create(
        world=world, symbol=STEEL, name="Steel", kind=Instrument.Kind.FUTURE, currency="CNY",
        board="open",
        price_exponent=0, tick=1, lot=1, multiplier=10, quote_age_ms_max=600_000,
    )  # fmt: skip
    now = clock.now_ns()
    feed.say(Reference(STEEL, street.DAY, 3_500, 0, 0, now, now, "test", settlement=3_500))
    running = street.InThread(world)
    bob = open_margin(world, "bob", 100_000_00)
    feed.quote(STEEL, bid=2_999, ask=3_000, size=100)
    say_print(feed, 3_000, STEEL)
    heard(world, feed)
    trade(world, bob, "buy", 5, 3_000, symbol=STEEL)
    bad = Fill.objects.get()
    next_day(feed, street.DAY + 1, 3_520)
    street.wait_for(lambda: "SETTLED" in codes_told(bob), "the settlement")
    move(feed, 3_530, STEEL)
    heard(world, feed)
    trade(world, bob, "buy", 1, 3_530, symbol=STEEL)
    later = Fill.objects.order_by("id").last()
    before = books(bob)
    first = busted(world, staff, bad, "3500")
    assert first.status == "applied", first.result
    assert books(bob) == (100_000_00 - later.fee, 1, 35_300_00, -later.fee)
    dave = staff[1]
    again = proposals.propose(world, "reinstate", {}, "it was good", by=dave, undoes=first)
    assert proposals.approve(again.pk, by=staff[0]).status == "applied"
    assert books(bob) == before
    running.stop()
    sound(world)


def test_what_cannot_be_worked_out_is_refused_in_words(exchange, world, feed, staff):
    """What was settled at one fair price cannot be done again at another."""
    alice = open_margin(world, "alice")
    move(feed, 2001)
    heard(world, feed)
    trade(world, alice, "sell", 100, 2000)
    move(feed, 901)
    heard(world, feed)
    trade(world, alice, "buy", 100, 901)
    assert busted(world, staff, Fill.objects.get(side="sell"), "10.00").status == "applied"
    with pytest.raises(Invalid, match="cannot be worked out"):
        busted(world, staff, Fill.objects.get(side="buy", reverses=None), "11.00")
    assert busted(world, staff, Fill.objects.get(side="buy", reverses=None), "10.00").status == "applied"
    assert books(alice) == (10_000_00, 0, 0, 0)
    sound(world)
