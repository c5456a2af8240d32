"""Everybody at once: one effect per key, one winner for one thing."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.exchange import street
from trading import invariants
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
