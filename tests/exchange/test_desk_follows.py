"""Old snapshot + messages = new snapshot, for a private desk, real rows and every action that there is."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ops.drills.books import Drill, make_world
from ops.drills.frames_judge import core, folded
from trading import queries
from trading.models import Portfolio

numbers = itertools.count()
LIMIT = 10_000  # messages: more than these few commands make


def looked(portfolio: int) -> tuple[int, dict[str, Any]]:
    desk = msgspec.json.decode(msgspec.json.encode(queries.desk_snapshot(portfolio)))
    return desk["version"], core(desk)


@pytest.mark.django_db(transaction=True)
@given(seed=st.integers(0, 10**6), batches=st.lists(st.integers(1, 60), min_size=3, max_size=8))
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_desk_that_hears_every_message_shows_what_the_tables_hold(seed: int, batches: list[int]) -> None:
    """A crowd trades, changes, cancels, closes; days turn, instruments halt, portfolios are frozen."""
    with asyncio.Runner() as runner:
        drill = Drill(make_world(f"desk-{next(numbers)}"), f"desk {seed}", runner)
        people = list(Portfolio.objects.filter(game__world=drill.world).values_list("id", flat=True))
        told = drill.crowd.commands(10**9)
        shown = {one: looked(one) for one in people}
        for size in [20, *batches]:
            for command, _, at in itertools.islice(told, size):
                drill.apply(command, at)
            drill.commit()
            for one, (version, state) in shown.items():
                for seq, body in queries.events_after(one, version, LIMIT):
                    assert seq == version + 1
                    version, state = seq, folded(state, body)
                assert (version, state) == looked(one)
                shown[one] = version, state
        assert sum(version for version, _ in shown.values()) > len(people)
        drill.close()
