"""The exchange falls over in the middle of an expiry, a close or a roll: each happens once."""

from __future__ import annotations

import asyncio

import pytest

from simgame.kernel import failpoints
from tests.exchange import street
from trading import account_events, invariants
from trading.exchange.client import ask_sync
from trading.exchange.process import Exchange
from trading.models import Command, ExchangeLease, Order, Position

pytestmark = pytest.mark.django_db(transaction=True)
APPLIED, BEFORE_COMMIT, AFTER_COMMIT = 1, 2, 3


@pytest.fixture
def arm():
    def armed(text: str) -> None:
        failpoints.ARMED.update(failpoints.parse(text))

    yield armed
    failpoints.ARMED.clear()


@pytest.mark.parametrize("passing", [APPLIED, BEFORE_COMMIT, AFTER_COMMIT])
@pytest.mark.parametrize("name", [failpoints.FP9_EXPIRY, failpoints.FP10_CLOSE])
def test_a_close_that_is_interrupted_expires_alices_order_once(exchange, world, feed, arm, name, passing):
    alice = street.open_portfolio(world, "alice")
    order = street.new_order(alice.id)
    assert ask_sync(world.number, order).outcome == "executed"
    epoch = street.status(world)["epoch"]
    arm(f"{name}=raise@{passing}")
    feed.begin(phase="closed")
    street.wait_for(lambda: street.status(world).get("epoch", 0) > epoch, "the next life of the exchange")
    street.wait_for(lambda: Order.objects.get().status == "expired", "the end of the order")
    expired = [
        seq
        for seq, body in account_events.bodies(alice.id)
        if any(row["status"] == "expired" for row in body["orders"])
    ]
    assert len(expired) == 1
    assert invariants.reconcile(world).breaks == 0


@pytest.mark.parametrize("passing", [APPLIED, BEFORE_COMMIT, AFTER_COMMIT])
def test_a_roll_that_is_interrupted_happens_once(exchange, world, feed, arm, passing):
    """What alice bought yesterday is counted into the new day once, and not again by the next life."""
    alice = street.open_portfolio(world, "alice")
    ask_sync(world.number, street.new_order(alice.id, qty=300, limit_price=1001))
    epoch = street.status(world)["epoch"]
    arm(f"{failpoints.FP11_DAY_ROLL}=raise@{passing}")
    feed.begin(day=street.DAY + 1)
    street.wait_for(lambda: street.status(world).get("epoch", 0) > epoch, "the next life of the exchange")
    street.wait_for(lambda: Position.objects.get().market_day == street.DAY + 1, "the roll")
    position = Position.objects.get()
    assert (position.qty, position.day_start_qty, position.day_cash) == (300, 300, 0)
    assert Command.objects.filter(kind="tick").count() == 1
    assert invariants.reconcile(world).breaks == 0


def test_five_deaths_during_recovery_in_a_row_change_nothing(world, feed, arm):
    """FP8: recovery only reads, and each attempt has an epoch of its own."""
    first = street.InThread(world)
    alice = street.open_portfolio(world, "alice")
    order = street.new_order(alice.id, "alices-own-key")
    ask_sync(world.number, order)
    before = street.status(world, hashed=True)
    first.stop()
    arm(f"{failpoints.FP8_IN_RECOVERY}=raise")
    for _ in range(5):
        with pytest.raises(failpoints.FailpointHit):
            asyncio.run(Exchange(world).run())
    failpoints.ARMED.clear()
    heir = street.InThread(world)
    after = street.status(world, hashed=True)
    assert after["state_hash"] == before["state_hash"]
    assert after["epoch"] == before["epoch"] + 6 == ExchangeLease.objects.get(world=world).epoch
    assert ask_sync(world.number, order).replayed
    heir.stop()
    assert invariants.reconcile(world).breaks == 0
