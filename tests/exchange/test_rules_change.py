"""What binds an order may change while no exchange runs: a new rulebook, a corrected fee."""

from __future__ import annotations

from market.models import World
from tests.exchange import street
from trading import invariants
from trading.exchange.client import ask_sync
from trading.models import Order


def test_orders_hold_what_the_new_rules_ask_and_the_books_are_not_in_doubt(
    world: World, feed: street.Feed
) -> None:
    """Bob's 100 at 9.00 hold 900.00 + 5.00; under A-share rules also a transfer fee of 0.01.

    Carol has 905.00: it is not enough any more, and her order is canceled.
    """
    exchange = street.InThread(world)
    bob = street.open_portfolio(world, "Bob").id
    carol = street.open_portfolio(world, "Carol", cash=905_00).id
    resting = [street.new_order(who, time_in_force="gtc") for who in (bob, carol)]
    for order in resting:
        assert ask_sync(world.number, order).result["order"]["reserved_cash"] == 905_00
    exchange.stop()
    world.rulebook = "cn_a"
    world.save(update_fields=["rulebook"])

    exchange = street.InThread(world)
    try:
        assert street.status(world)["state"] == "serving"
        street.wait_for(lambda: Order.objects.get(id=resting[0].order_id).reserved_cash == 905_01, "the fee")
        hers = Order.objects.get(id=resting[1].order_id)
        assert (hers.status, hers.reason, hers.reserved_cash) == ("canceled", "INSUFFICIENT_CASH", 0)
        assert invariants.reconcile(world).breaks == 0
    finally:
        exchange.stop()
