"""Orders with terms, from the socket to the tables and back through a crash."""

from __future__ import annotations

import msgspec
import pytest

from simgame.kernel import clock
from tests.exchange import street
from trading import account_events, invariants
from trading.engine.commands import CancelAll, ClosePosition, ReplaceOrder, ReplaceWithTerms
from trading.exchange import idempotency
from trading.exchange.client import ask_sync
from trading.models import Balance, Fill, Order

pytestmark = pytest.mark.django_db(transaction=True)
FAR_NS = 4_000_000_000 * clock.NS_PER_S
FIRST_ORDER = "7e5957773a779110f177cb71dddcd8d0e1db72d48a905555f5abc93c9cffce5c"
FIRST_REPLACE = "bac10e5bd025152a491a2924790bfe1ca73beac0663f39241fe3a7ca6f8b1410"


def bracket(portfolio: int, client_order_id: str | None = None, **fields):
    legs = {"take_profit": street.leg(limit_price=1080), "stop_loss": street.leg(stop_price=850)}
    return street.with_terms(portfolio, client_order_id, **({"order_class": "bracket"} | legs | fields))


def rows(portfolio) -> dict[str, Order]:
    return {str(row.id): row for row in Order.objects.filter(portfolio=portfolio)}


def shares(world, alice, qty: int = 500) -> None:
    reply = ask_sync(world.number, street.new_order(alice.id, qty=qty, limit_price=1001))
    assert reply.result["order"]["status"] == "filled"


def one_of_each(world, alice) -> dict[str, object]:
    """Every kind of order that can be open, as asked."""
    shares(world, alice, 2000)
    asked = {
        "stop": street.with_terms(alice.id, type="stop", side="sell", limit_price=None, stop_price=950),
        "stop_limit": street.with_terms(alice.id, type="stop_limit", limit_price=1060, stop_price=1050),
        "trail_price": street.with_terms(
            alice.id, type="trailing_stop", side="sell", limit_price=None, trail_price=30
        ),
        "trail_percent": street.with_terms(
            alice.id, type="trailing_stop", limit_price=None, trail_ppb=50_000_000, fired_by="quote"
        ),
        "gtd": street.with_terms(alice.id, time_in_force="gtd", expire_ns=FAR_NS),
        "opg": street.new_order(alice.id, time_in_force="cls"),
        "post_only": street.with_terms(alice.id, post_only=True),
        "reduce_only": street.with_terms(alice.id, side="sell", limit_price=1070, reduce_only=True),
        "notional": street.with_terms(alice.id, qty=0, notional=2_000_00),
        "oco": street.with_terms(
            alice.id, side="sell", limit_price=1090, order_class="oco", stop_loss=street.leg(stop_price=940)
        ),
        "oto": street.with_terms(alice.id, order_class="oto", stop_loss=street.leg(stop_price=850)),
        "bracket": bracket(alice.id),
        "bought": bracket(alice.id, limit_price=1001),
    }
    for name, order in asked.items():
        reply = ask_sync(world.number, order)
        assert (reply.outcome, reply.code) == ("executed", ""), (name, reply)
    return asked


def test_every_kind_survives_a_restart(world, feed):
    first = street.InThread(world)
    alice = street.open_portfolio(world, "alice")
    asked = one_of_each(world, alice)
    feed.trade(1010)  # the trailing sell follows
    trailing = asked["trail_price"].order_id
    street.wait_for(lambda: Order.objects.get(id=trailing).terms["hwm"] == 1010, "the trail")
    before, open_before = street.status(world, hashed=True), rows(alice)
    assert invariants.reconcile(world).breaks == 0
    first.stop()
    second = street.InThread(world)
    try:
        assert street.status(world, hashed=True)["state_hash"] == before["state_hash"]
        feed.trade(979)  # below 10.10 - 0.30: the restored trail fires
        street.wait_for(lambda: Order.objects.get(id=trailing).status == "filled", "the fired stop")
        reply = ask_sync(world.number, CancelAll(alice.id, "all", clock.now_ns() + 10**10))
        still_open = {order.id for order in open_before.values() if order.closed_at is None}
        assert len(reply.result["orders"]) == len(still_open) - 1
        assert Balance.objects.get(account=alice.id, asset="CNY").reserved == 0
        assert invariants.reconcile(world).breaks == 0
    finally:
        second.stop()


def test_alices_bracket_comes_with_its_legs(exchange, world):
    alice = street.open_portfolio(world, "alice")
    asked = bracket(alice.id)
    reply = ask_sync(world.number, asked)
    legs = [asked.terms.take_profit.order_id, asked.terms.stop_loss.order_id]
    assert [leg["id"] for leg in reply.result["legs"]] == legs
    shown = msgspec.json.decode(reply.shown)
    assert [(leg["id"], leg["status"], leg["type"]) for leg in shown["legs"]] == [
        (legs[0], "held", "limit"),
        (legs[1], "held", "stop"),
    ]
    assert {row.status for row in rows(alice).values()} == {"new", "held"}
    told = account_events.bodies(alice.id)[-1][1]
    assert {order["id"] for order in told["orders"]} == {asked.order_id, *legs}


def test_the_same_bracket_again_is_the_same_bracket(exchange, world):
    """Its sender makes new ids for the legs each time; what it asks for is the same."""
    alice = street.open_portfolio(world, "alice")
    first = ask_sync(world.number, bracket(alice.id, "b1"))
    again = ask_sync(world.number, bracket(alice.id, "b1"))
    assert again.replayed and again.shown == first.shown
    other = ask_sync(world.number, bracket(alice.id, "b1", qty=200))
    assert (other.outcome, other.code) == ("not_executed", "IDEMPOTENCY_KEY_REUSED")
    plain = ask_sync(world.number, street.new_order(alice.id, "b1"))
    assert plain.code == "IDEMPOTENCY_KEY_REUSED"
    assert len(rows(alice)) == 3


def test_each_term_counts_for_the_fingerprint():
    one = street.with_terms(1, "x", stop_price=900)
    for changed in ({"stop_price": 901}, {"expire_ns": 5}, {"post_only": True}, {"trail_ppb": 5}):
        other = msgspec.structs.replace(one, terms=msgspec.structs.replace(one.terms, **changed))
        assert idempotency.fingerprint(one) != idempotency.fingerprint(other)
    assert idempotency.fingerprint(bracket(1, "x")) == idempotency.fingerprint(bracket(1, "x"))


def test_fingerprints_of_plain_orders_are_those_of_the_first_release():
    """A key from last year must still be known by what was written beside it then."""
    order = street.new_order(7, "k")
    change = ReplaceOrder(7, "o", "k", 5, qty=3)
    assert idempotency.fingerprint(order).hex() == FIRST_ORDER
    assert idempotency.fingerprint(change).hex() == FIRST_REPLACE


def test_alice_closes_half_of_what_she_holds(exchange, world):
    alice = street.open_portfolio(world, "alice")
    shares(world, alice, 600)
    order = street.new_order(alice.id)
    asked = ClosePosition(
        alice.id, order.order_id, "half", street.SHARES, order.deadline_ns, None, 500_000_000
    )
    reply = ask_sync(world.number, asked)
    assert (reply.result["order"]["status"], reply.result["order"]["filled_qty"]) == ("filled", 300)
    again = ask_sync(world.number, msgspec.structs.replace(asked, order_id=street.new_order(1).order_id))
    assert again.replayed and again.result["order"]["id"] == asked.order_id
    taken = ask_sync(world.number, street.new_order(alice.id, "half"))
    assert taken.code == "IDEMPOTENCY_KEY_REUSED"
    assert invariants.reconcile(world).breaks == 0


def test_bob_moves_his_stop(exchange, world):
    bob = street.open_portfolio(world, "bob")
    shares(world, bob)
    stop = street.with_terms(bob.id, type="stop", side="sell", limit_price=None, stop_price=950)
    ask_sync(world.number, stop)
    change = ReplaceWithTerms(bob.id, stop.order_id, "m1", clock.now_ns() + 10**10, stop_price=960)
    reply = ask_sync(world.number, change)
    assert reply.result["order"]["terms"]["stop_price"] == 960
    assert Order.objects.get(id=stop.order_id).terms["stop_price"] == 960
    assert ask_sync(world.number, change).replayed


def test_the_stop_loss_ends_the_take_profit(exchange, world, feed):
    alice = street.open_portfolio(world, "alice")
    asked = bracket(alice.id, limit_price=1001, stop_loss=street.leg(stop_price=950))
    ask_sync(world.number, asked)
    profit, loss = asked.terms.take_profit.order_id, asked.terms.stop_loss.order_id
    assert (rows(alice)[profit].status, rows(alice)[loss].status) == ("new", "held")
    feed.quote(bid=949, ask=951)
    feed.trade(950)
    street.wait_for(lambda: rows(alice)[loss].status == "filled", "the stop loss")
    assert (rows(alice)[profit].status, rows(alice)[profit].reason) == ("canceled", "LINKED_ORDER_TRIGGERED")
    assert Fill.objects.get(order=loss).price == 949
    assert invariants.reconcile(world).breaks == 0
