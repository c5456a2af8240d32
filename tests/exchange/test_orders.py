"""Alice and Bob trade: from the socket to the tables and back."""

from __future__ import annotations

import pytest

from tests.exchange import street
from trading import account_events, invariants
from trading.exchange.client import ask_sync
from trading.models import Balance, Command, Fill, Order, Portfolio, Position

pytestmark = pytest.mark.django_db(transaction=True)


def test_alice_gets_her_start_cash_once(exchange, world):
    alice = street.open_portfolio(world, "alice")
    again = ask_sync(world.number, street.OpenPortfolio(alice.id, "CNY", street.CASH, f"open-{alice.id}"))
    assert again.outcome == "executed" and again.replayed
    assert Balance.objects.get(account=alice.id, asset="CNY").posted == street.CASH
    assert Portfolio.objects.get(id=alice.id).status == "active"


def test_a_game_is_ready_once_its_exchange_has_heard_the_market(world, client):
    deaf = street.InThread(world, fed=False)
    try:
        assert "has not heard the feed" in client.get("/readyz").json()["checks"]["exchange"]
        feed = street.Feed(world)
        try:
            street.wait_until_serving(world)
            assert client.get("/readyz").json()["checks"]["exchange"] == "ok"
        finally:
            feed.close()
    finally:
        deaf.stop()


def test_alice_buys_what_the_market_shows(exchange, world):
    alice = street.open_portfolio(world, "alice")
    order = street.new_order(alice.id, qty=200, limit_price=1002)
    reply = ask_sync(world.number, order)
    assert (reply.outcome, reply.result["order"]["status"]) == ("executed", "filled"), reply
    stored = Order.objects.get(id=order.order_id)
    assert (stored.status, stored.filled_qty, stored.filled_cash) == ("filled", 200, 200_200)
    fill = Fill.objects.get(order=stored)
    assert fill.price == 1001 and fill.receipt["quote"]["source"] == "test"
    assert Position.objects.get(portfolio=alice, symbol=street.SHARES).qty == 200
    assert Balance.objects.get(account=alice.id, asset="CNY").posted == street.CASH - 200_200 - fill.fee
    assert invariants.reconcile(world).breaks == 0


def test_alices_order_rests_and_she_cancels_it(exchange, world):
    alice = street.open_portfolio(world, "alice")
    order = street.new_order(alice.id)
    assert ask_sync(world.number, order).result["order"]["status"] == "new"
    assert Balance.objects.get(account=alice.id, asset="CNY").reserved >= 90_000
    reply = ask_sync(world.number, street.cancel(alice.id, order.order_id))
    assert reply.result["order"]["status"] == "canceled"
    assert Balance.objects.get(account=alice.id, asset="CNY").reserved == 0
    late = ask_sync(world.number, street.cancel(alice.id, order.order_id))
    assert (late.outcome, late.code) == ("not_executed", "ALREADY_TERMINAL")
    assert invariants.reconcile(world).breaks == 0


def test_a_quote_that_comes_to_alices_price_fills_her_order(exchange, world, feed):
    alice = street.open_portfolio(world, "alice")
    order = street.new_order(alice.id)
    ask_sync(world.number, order)
    feed.quote(bid=898, ask=899)
    street.wait_for(lambda: Order.objects.get(id=order.order_id).status == "filled", "the fill")
    tick = Command.objects.get(kind="tick")
    assert tick.payload[0] == "q" and tick.portfolio_id is None
    assert invariants.reconcile(world).breaks == 0


def test_the_private_stream_has_every_change(exchange, world):
    alice = street.open_portfolio(world, "alice")
    order = street.new_order(alice.id, qty=100, limit_price=1001)
    ask_sync(world.number, order)
    (_, opened), (number, bought) = account_events.bodies(alice.id)
    assert (number, opened["balances"][0]["posted"]) == (2, "1000000.00")
    assert bought["orders"][0]["status"] == "filled"
    assert bought["fills"][0]["price"] == "10.01"
    assert bought["balances"][0]["asset"] == "CNY"


def test_alice_and_bob_meet(exchange, world):
    alice, bob = (street.open_portfolio(world, name) for name in ("alice", "bob"))
    ask_sync(world.number, street.new_order(bob.id, qty=300, limit_price=1001))
    ask_sync(world.number, street.new_order(bob.id, side="sell", qty=300, limit_price=1001))
    order = street.new_order(alice.id, qty=300, limit_price=1001)
    ask_sync(world.number, order)
    assert {fill.against for fill in Fill.objects.all()} <= {"market", "player"}
    assert invariants.reconcile(world).breaks == 0


def test_a_rejected_order_is_stored_with_its_reason(exchange, world):
    alice = street.open_portfolio(world, "alice", cash=50_000)
    order = street.new_order(alice.id)
    reply = ask_sync(world.number, order)
    assert (reply.outcome, reply.code) == ("executed", "INSUFFICIENT_CASH")
    assert Order.objects.get(id=order.order_id).reason == "INSUFFICIENT_CASH"


def test_the_books_survive_a_restart(world, feed):
    first = street.InThread(world)
    alice = street.open_portfolio(world, "alice")
    resting = street.new_order(alice.id)
    ask_sync(world.number, resting)
    ask_sync(world.number, street.new_order(alice.id, qty=500, limit_price=1001))
    before = street.status(world, hashed=True)
    first.stop()
    second = street.InThread(world)
    after = street.status(world, hashed=True)
    assert after["state_hash"] == before["state_hash"]
    assert after["epoch"] == before["epoch"] + 1
    assert ask_sync(world.number, street.cancel(alice.id, resting.order_id)).outcome == "executed"
    second.stop()
    assert invariants.reconcile(world).breaks == 0


def test_before_the_feed_has_spoken_an_order_is_not_rejected_but_comes_again(world):
    """The exchange serves, and its feed is not there yet: nothing is stored, and the key stays free."""
    early = street.InThread(world, fed=False)
    order = street.new_order(street.open_portfolio(world, "alice").id, "early-bird")
    told = ask_sync(world.number, order)
    assert (told.outcome, told.code) == ("not_executed", "ENGINE_RECOVERING")
    feed = street.Feed(world)
    street.wait_until_serving(world)
    reply = ask_sync(world.number, order)
    assert (reply.outcome, reply.code) == ("executed", "")
    early.stop()
    feed.close()
