"""Alice's bracket, Bob's trailing stop, an oco, an opening: through feed, exchange and tables, with restarts.

Prices are cents: 1001 is 10.01. Every story ends with the books balancing.
"""

from __future__ import annotations

import pytest

from market.ticks import PhaseTick
from simgame.kernel import clock
from tests.exchange import street
from trading import invariants
from trading.engine.commands import CancelAll
from trading.exchange.client import ask_sync
from trading.models import Balance, Fill, Order, Position

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def books(world):
    yield
    assert invariants.reconcile(world).breaks == 0


@pytest.fixture
def people(world, exchange):
    """Alice, and Bob who holds 1,000 bought at 10.01."""
    alice, bob = (street.open_portfolio(world, name) for name in ("alice", "bob"))
    placed(world, street.new_order(bob.id, qty=1_000, limit_price=1001))
    return alice, bob


def placed(world, order) -> str:
    reply = ask_sync(world.number, order)
    assert (reply.outcome, reply.code) == ("executed", ""), reply
    return order.order_id


def seen(order_id: str) -> tuple[str, int, int]:
    row = Order.objects.get(id=order_id)
    return row.status, row.qty, row.filled_qty


def becomes(order_id: str, status: str, qty: int, filled: int) -> None:
    street.wait_for(
        lambda: seen(order_id) == (status, qty, filled), f"{order_id} to be {status} {filled}/{qty}"
    )


def sell(portfolio: int, **fields):
    return street.with_terms(portfolio, side="sell", **({"limit_price": None} | fields))


def bracket(portfolio: int, **fields):
    legs = {"take_profit": street.leg(limit_price=1080), "stop_loss": street.leg(stop_price=950)}
    return street.with_terms(portfolio, order_class="bracket", **legs, **fields)


def test_alices_take_profit_fills_partly_and_her_stop_shrinks_with_it(books, world, feed, people):
    alice, bob = people
    asked = bracket(alice.id, qty=500, limit_price=1001)
    entry, profit, loss = (
        placed(world, asked),
        asked.terms.take_profit.order_id,
        asked.terms.stop_loss.order_id,
    )
    assert [seen(each) for each in (entry, profit, loss)] == [
        ("filled", 500, 500), ("new", 500, 0), ("held", 500, 0),
    ]  # fmt: skip
    feed.quote(bid=1079, ask=1081)
    street.wait_for(lambda: status_of_quote(world, feed), "the quote")
    placed(world, street.new_order(bob.id, qty=200, limit_price=1080))  # meets Alice inside the spread
    assert [seen(profit), seen(loss)] == [("partially_filled", 500, 200), ("held", 300, 0)]

    feed.quote(bid=949, ask=951)
    feed.trade(950)
    becomes(loss, "filled", 300, 300)
    assert seen(profit) == ("canceled", 500, 200)
    assert Order.objects.get(id=profit).reason == "LINKED_ORDER_TRIGGERED"
    moved = sum(
        (-fill.cash if fill.side == "buy" else fill.cash) - fill.fee
        for fill in Fill.objects.filter(portfolio=alice)
    )
    assert [(f.side, f.price, f.qty) for f in Fill.objects.filter(portfolio=alice).order_by("id")] == [
        ("buy", 1001, 500), ("sell", 1080, 200), ("sell", 949, 300),
    ]  # fmt: skip
    cash = Balance.objects.get(account=alice.id, asset="CNY")
    assert (cash.posted, cash.reserved) == (street.CASH + moved, 0)
    assert Position.objects.get(portfolio=alice).qty == 0


def status_of_quote(world, feed) -> bool:
    return street.status(world)["tick_seq"] >= feed.said


def test_an_entry_that_is_cut_short_leaves_legs_for_what_it_bought(books, world, feed, people):
    alice, bob = people
    asked = bracket(alice.id, qty=500, limit_price=990)
    entry = placed(world, asked)
    profit, loss = asked.terms.take_profit.order_id, asked.terms.stop_loss.order_id
    assert [seen(each)[0] for each in (entry, profit, loss)] == ["new", "held", "held"]
    placed(
        world, street.new_order(bob.id, side="sell", qty=300, limit_price=985)
    )  # the market's bid takes it
    feed.quote(bid=980, ask=995, size=1_000)
    street.wait_for(lambda: status_of_quote(world, feed), "the quote")
    placed(world, street.new_order(bob.id, side="sell", qty=300, limit_price=990))
    assert seen(entry) == ("partially_filled", 500, 300)
    assert [seen(profit), seen(loss)] == [("new", 300, 0), ("held", 300, 0)]
    ask_sync(world.number, street.cancel(alice.id, entry))
    assert [seen(entry), seen(profit), seen(loss)] == [
        ("canceled", 500, 300), ("new", 300, 0), ("held", 300, 0),
    ]  # fmt: skip
    ask_sync(world.number, street.cancel(alice.id, profit))
    assert seen(loss) == ("canceled", 300, 0)


def test_bobs_stop_trails_across_a_crash(books, world, feed):
    first = street.InThread(world)
    bob = street.open_portfolio(world, "bob")
    placed(world, street.new_order(bob.id, qty=300, limit_price=1001))
    feed.trade(1000)
    stop = placed(world, sell(bob.id, type="trailing_stop", qty=300, trail_ppb=20_000_000))
    feed.trade(1020)
    street.wait_for(lambda: Order.objects.get(id=stop).terms["hwm"] == 1020, "the new best price")
    assert Order.objects.get(id=stop).terms["stop_price"] == 1000  # 10.20 less 2 %, half up
    first.stop()
    second = street.InThread(world)
    feed.trade(1005)  # no new best, and not down to the stop
    feed.quote(bid=998, ask=1002)
    feed.trade(1000)
    becomes(stop, "filled", 300, 300)
    assert Fill.objects.get(order=stop).price == 998
    second.stop()


def test_where_one_of_an_oco_is_filled_the_other_ends(books, world, feed, people):
    _, bob = people
    asked = sell(bob.id, qty=400, limit_price=1050, order_class="oco", stop_loss=street.leg(stop_price=960))
    profit, loss = placed(world, asked), asked.terms.stop_loss.order_id
    assert Balance.objects.get(account=bob.id, asset=street.SHARES).reserved == 400  # offered once
    feed.quote(bid=1050, ask=1052)
    becomes(profit, "filled", 400, 400)
    assert seen(loss)[0] == "canceled"
    assert Order.objects.get(id=loss).reason == "LINKED_ORDER_FILLED"


def test_the_day_ends_for_those_of_the_day(books, world, feed, people):
    alice, bob = people
    asked = bracket(alice.id, limit_price=990)
    ends = [placed(world, asked), asked.terms.take_profit.order_id, asked.terms.stop_loss.order_id]
    ends.append(placed(world, sell(bob.id, type="stop", stop_price=950)))
    stays = placed(world, sell(bob.id, type="stop", stop_price=950, time_in_force="gtc"))
    now = clock.now_ns()
    feed.say(PhaseTick(street.DAY, "closed", "", 0, now, now, opened=True))
    for order_id in ends:
        street.wait_for(lambda: seen(order_id)[0] == "expired", "the day's end")  # noqa: B023
    assert seen(stays)[0] == "new"
    assert {Order.objects.get(id=order_id).reason for order_id in ends} == {"DAY_ENDED"}


def test_the_opening_and_the_closing_auction_take_their_own(books, world, feed):
    first = street.InThread(world)
    alice, bob = (street.open_portfolio(world, name) for name in ("alice", "bob"))
    placed(world, street.new_order(bob.id, qty=500, limit_price=1001))
    next_day = street.DAY + 1
    feed.begin(next_day, "auction")
    street.wait_for(lambda: status_of_quote(world, feed), "the auction")
    buys = placed(world, street.new_order(alice.id, qty=200, limit_price=1010, time_in_force="opg"))
    sells = placed(
        world, street.new_order(bob.id, side="sell", qty=200, limit_price=990, time_in_force="opg")
    )
    low = placed(world, street.new_order(alice.id, qty=100, limit_price=950, time_in_force="opg"))
    closing = placed(world, street.new_order(alice.id, qty=100, limit_price=1010, time_in_force="cls"))
    now = clock.now_ns()
    feed.say(PhaseTick(next_day, "continuous", "", 0, now, now, opened=True))
    becomes(buys, "filled", 200, 200)
    assert seen(sells) == ("filled", 200, 200)
    prices = {fill.price for fill in Fill.objects.filter(order__in=(buys, sells))}
    assert len(prices) == 1
    assert Fill.objects.filter(order=buys).first().receipt["auction"]["price"] in prices
    assert (seen(low)[0], Order.objects.get(id=low).reason) == ("canceled", "AUCTION_ENDED")
    late = ask_sync(world.number, street.new_order(alice.id, time_in_force="opg"))
    assert late.code == "MARKET_CLOSED"

    now = clock.now_ns()
    feed.say(PhaseTick(next_day, "auction", "", 0, now, now, opened=True))
    first.stop()  # the next life hears from the feed that this day has opened: this auction closes it
    second = street.InThread(world)
    assert seen(closing)[0] == "new"
    now = clock.now_ns()
    feed.say(PhaseTick(next_day, "closed", "", 0, now, now, opened=True))
    becomes(closing, "filled", 100, 100)
    ask_sync(world.number, CancelAll(alice.id, "all", clock.now_ns() + 10**10))
    second.stop()
