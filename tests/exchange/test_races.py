"""Everybody at once: one effect per key, one winner for one thing."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from market.ticks import Quote
from simgame.kernel import clock
from tests.exchange import street
from trading import invariants
from trading.engine.commands import ReplaceOrder
from trading.exchange.client import ask_sync
from trading.models import Balance, Command, Order

pytestmark = pytest.mark.django_db(transaction=True)


def test_fifty_sendings_of_one_order_make_one_order(exchange, world):
    alice = street.open_portfolio(world, "alice")
    orders = [street.new_order(alice.id, "same") for _ in range(50)]
    replies = street.in_parallel(world, orders)
    assert {reply.outcome for reply in replies} == {"executed"}
    assert Counter(reply.replayed for reply in replies) == {False: 1, True: 49}
    answers = {json.dumps(reply.result, sort_keys=True) for reply in replies}
    assert len(answers) == 1
    assert Order.objects.count() == 1
    assert Command.objects.filter(kind="new_order").count() == 1
    assert invariants.reconcile(world).breaks == 0


def test_other_contents_under_a_used_key_are_refused(exchange, world):
    alice = street.open_portfolio(world, "alice")
    first = street.new_order(alice.id, "mine")
    ask_sync(world.number, first)
    other = ask_sync(world.number, street.new_order(alice.id, "mine", qty=200))
    assert (other.outcome, other.code) == ("not_executed", "IDEMPOTENCY_KEY_REUSED")
    assert Order.objects.get().qty == 100


def test_a_key_is_remembered_across_a_restart(world, feed):
    first = street.InThread(world)
    alice = street.open_portfolio(world, "alice")
    before = ask_sync(world.number, street.new_order(alice.id, "kept"))
    cancel = street.cancel(alice.id, before.result["order"]["id"], "cancel-1")
    ended = ask_sync(world.number, cancel)
    first.stop()
    second = street.InThread(world)
    again = ask_sync(world.number, street.new_order(alice.id, "kept"))
    assert (again.replayed, again.result) == (True, before.result)
    ended_again = ask_sync(world.number, cancel)
    assert (ended_again.replayed, ended_again.result) == (True, ended.result)
    second.stop()


def test_a_hundred_orders_with_cash_for_one(exchange, world):
    alice = street.open_portfolio(world, "alice", cash=100_000)
    orders = [street.new_order(alice.id) for _ in range(100)]
    replies = street.in_parallel(world, orders)
    assert Counter(reply.code for reply in replies) == {"": 1, "INSUFFICIENT_CASH": 99}
    assert Order.objects.filter(status="new").count() == 1
    assert invariants.reconcile(world).breaks == 0


def test_a_hundred_sales_of_the_same_shares(exchange, world):
    alice = street.open_portfolio(world, "alice")
    ask_sync(world.number, street.new_order(alice.id, limit_price=1001))
    sales = [street.new_order(alice.id, side="sell", limit_price=1050) for _ in range(100)]
    replies = street.in_parallel(world, sales)
    assert Counter(reply.code for reply in replies) == {"": 1, "INSUFFICIENT_SELLABLE": 99}
    assert Balance.objects.get(account=alice.id, asset=street.SHARES).reserved == 100
    assert invariants.reconcile(world).breaks == 0


def test_a_hundred_cancels_of_one_order_end_it_once(exchange, world):
    alice = street.open_portfolio(world, "alice")
    order = street.new_order(alice.id)
    ask_sync(world.number, order)
    replies = street.in_parallel(world, [street.cancel(alice.id, order.order_id) for _ in range(100)])
    assert Counter(reply.code for reply in replies) == {"": 1, "ALREADY_TERMINAL": 99}


def test_an_order_past_its_deadline_is_never_executed(exchange, world):
    alice = street.open_portfolio(world, "alice")
    reply = ask_sync(world.number, street.new_order(alice.id, deadline_ns=1))
    assert reply.code == "STALE_ORDER"
    assert not Order.objects.filter(status="new").exists()


def test_two_cancels_and_what_each_hears(exchange, world):
    """The same request hears the same again; another one hears that the order has ended, and how."""
    alice = street.open_portfolio(world, "alice")
    order = street.new_order(alice.id)
    ask_sync(world.number, order)
    first = ask_sync(world.number, street.cancel(alice.id, order.order_id, "c1"))
    again = ask_sync(world.number, street.cancel(alice.id, order.order_id, "c1"))
    assert (again.outcome, again.replayed, again.result) == ("executed", True, first.result)
    other = ask_sync(world.number, street.cancel(alice.id, order.order_id, "c2"))
    assert (other.outcome, other.code, "canceled" in other.detail) == (
        "not_executed", "ALREADY_TERMINAL", True,
    )  # fmt: skip


def test_a_fill_that_came_first_makes_every_cancel_and_replace_too_late(exchange, world):
    alice = street.open_portfolio(world, "alice")
    order = street.new_order(alice.id, limit_price=1001)
    ask_sync(world.number, order)
    late = ask_sync(world.number, street.cancel(alice.id, order.order_id))
    change = ReplaceOrder(alice.id, order.order_id, "r1", clock.now_ns() + 10**10, limit_price=1000)
    assert (late.code, ask_sync(world.number, change).code) == ("TOO_LATE_TO_CANCEL", "TOO_LATE_TO_CANCEL")


def test_a_replace_that_is_sent_again_changes_the_order_once(exchange, world):
    alice = street.open_portfolio(world, "alice")
    order = street.new_order(alice.id, qty=300)
    ask_sync(world.number, order)
    change = ReplaceOrder(alice.id, order.order_id, "r1", clock.now_ns() + 10**10, qty=200)
    replies = street.in_parallel(world, [change] * 20)
    assert Counter(reply.replayed for reply in replies) == {False: 1, True: 19}
    assert (Order.objects.get().qty, Order.objects.get().version) == (200, 2)
    chained = ReplaceOrder(alice.id, order.order_id, "r2", clock.now_ns() + 10**10, qty=100, if_version=1)
    assert ask_sync(world.number, chained).code == "VERSION_CONFLICT"


def test_a_stranger_hears_of_alices_order_what_he_hears_of_none(exchange, world):
    alice, bob = (street.open_portfolio(world, name) for name in ("alice", "bob"))
    order = street.new_order(alice.id)
    ask_sync(world.number, order)
    hers, none = (
        ask_sync(world.number, street.cancel(bob.id, each))
        for each in (order.order_id, street.new_order(1).order_id)
    )
    assert (hers.code, hers.detail) == (none.code, none.detail) == ("UNKNOWN_ORDER", none.detail)


def test_time_comes_before_the_tick_that_brings_it(exchange, world, feed):
    """Bob's order is good till a moment; the quote of that very moment would fill it, and does not."""
    bob = street.open_portfolio(world, "bob")
    till = clock.now_ns() + 10**12
    order = street.with_terms(bob.id, time_in_force="gtd", expire_ns=till)
    early = street.with_terms(bob.id, time_in_force="gtd", expire_ns=till + 1)
    for each in (order, early):
        assert ask_sync(world.number, each).result["order"]["status"] == "new"
    feed.say(Quote(street.SHARES, ((890, 1000),), ((895, 1000),), till, clock.now_ns(), "test"))
    street.wait_for(lambda: Order.objects.get(id=early.order_id).status == "filled", "the fill")
    ended = Order.objects.get(id=order.order_id)
    assert (ended.status, ended.reason, ended.filled_qty) == ("expired", "TIME_REACHED", 0)


def test_no_order_is_filled_by_a_tick_from_before_it(exchange, world, feed):
    alice = street.open_portfolio(world, "alice")
    feed.trade(950, 10_000)
    order = street.new_order(alice.id, limit_price=960)
    ask_sync(world.number, order)
    assert Order.objects.get(id=order.order_id).status == "new"
    feed.trade(955, 10_000)
    street.wait_for(lambda: Order.objects.get(id=order.order_id).status == "filled", "the later print")
