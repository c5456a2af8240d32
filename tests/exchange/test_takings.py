"""What players took, as the seeded market hears of it: committed fills against displayed depth, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from market.models import World
from simgame.kernel import clock
from simgame.kernel.ids import world_key
from trading.exchange import takings
from trading.models import Fill

pytestmark = pytest.mark.django_db


def filled(world: int, n: int, **more: Any) -> None:
    facts: dict[str, Any] = {
        **{"symbol": "ALB", "side": "buy", "price": 1_300, "qty": 400, "against": "market"},
        **{"receipt": {"levels": []}, "at": clock.now(), "reverses": None},
    } | more
    key = world_key(world, n)
    Fill.objects.create(
        id=key, match=key, seq=n, order_id=1, portfolio_id=1, cash=1, fee=0, market_day=20261122, **facts
    )


def test_only_what_was_taken_from_the_market_counts_and_each_fill_once() -> None:
    world = World.objects.create(
        slug="one", kind="seeded", currency="CNY", rulebook="plain", stream_epoch="a"
    )
    number = world.number
    assert takings.read(number, 0) == (0, [])
    filled(number, 1)
    filled(number, 2, qty=100)
    filled(number, 3, side="sell", symbol="PWS", price=40_000)
    filled(number, 4, against="player")
    filled(number, 5, receipt={"print": {"seq": 1}})
    filled(number, 6, reverses=world_key(number, 1))
    filled(number + 1, 1, qty=900)
    assert takings.read(number, 0) == (6, [["ALB", "buy", 1_300, 500], ["PWS", "sell", 40_000, 400]])
    assert takings.read(number, 2) == (6, [["PWS", "sell", 40_000, 400]])
    assert takings.read(number, 6) == (6, [])


def test_what_was_taken_long_ago_moves_nothing_any_more() -> None:
    world = World.objects.create(
        slug="one", kind="seeded", currency="CNY", rulebook="plain", stream_epoch="a"
    )
    filled(world.number, 1, at=clock.now() - timedelta(minutes=5))
    assert takings.read(world.number, 0) == (1, [])
