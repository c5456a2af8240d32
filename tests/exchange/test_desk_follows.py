"""Old snapshot + messages = new snapshot, real rows and every action that there is: private desks, what is
halted, and the standings."""

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
from realtime.publish import Publisher
from realtime.topics import Policy, kind_of
from trading import queries, standings
from trading.engine.commands import Halt
from trading.models import Game, Portfolio

numbers = itertools.count()
LIMIT = 10_000  # messages: more than these few commands make


def looked(portfolio: int) -> tuple[int, dict[str, Any]]:
    desk = msgspec.json.decode(msgspec.json.encode(queries.desk_snapshot(portfolio)))
    return desk["version"], core(desk)


class Follower:
    """Reads a topic whose newest message counts, from its snapshot on."""

    def __init__(self, runner: asyncio.Runner, topic: str):
        kind = kind_of(topic)
        assert kind is not None and kind.policy is Policy.LATEST
        self.runner, self.topic, self.read = runner, topic, kind.snapshot
        self.shown = self.snapshot()
        self.heard = 0

    def snapshot(self) -> tuple[int, Any]:
        found = self.runner.run(self.read(self.topic))
        assert found is not None
        return found.offset, msgspec.json.decode(msgspec.json.encode(found.data))

    def hear(self, messages: list[Any]) -> None:
        for message in messages:
            if message.topic == self.topic:
                assert message.offset > self.shown[0]
                self.shown = message.offset, msgspec.json.decode(message.data)
                self.heard += 1


@pytest.mark.django_db(transaction=True)
@given(seed=st.integers(0, 10**6), batches=st.lists(st.integers(1, 60), min_size=3, max_size=8))
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
def test_who_hears_every_message_is_shown_what_the_tables_hold(
    monkeypatch: pytest.MonkeyPatch, seed: int, batches: list[int]
) -> None:
    """A crowd trades, changes, cancels, closes; days turn, instruments halt, portfolios are frozen."""
    bus: list[Any] = []
    monkeypatch.setattr(Publisher, "publish_now_sync", lambda _self, messages: bus.extend(messages))
    with asyncio.Runner() as runner:
        drill = Drill(make_world(f"desk-{next(numbers)}"), f"desk {seed}", runner)
        game = Game.objects.select_related("world").get(world=drill.world)
        people = list(Portfolio.objects.filter(game=game).values_list("id", flat=True))
        told, symbols = drill.crowd.commands(10**9), itertools.cycle(drill.crowd.rules)
        shown = {one: looked(one) for one in people}
        halts, ranks = (Follower(runner, topic) for topic in (f"halts:{drill.world.slug}", f"game:{game.pk}"))
        for size in [20, *batches]:
            for command, _, at in itertools.islice(told, size):
                drill.apply(command, at)
            drill.apply(Halt(next(symbols), size % 2 == 0, "News", f"news-{next(numbers)}"), at)
            heard = [each.message() for each in drill.work.told]
            drill.commit()
            for one, (version, state) in shown.items():
                for seq, body in queries.events_after(one, version, LIMIT):
                    assert seq == version + 1
                    version, state = seq, folded(state, body)
                assert (version, state) == looked(one)
                shown[one] = version, state
            halts.hear(heard)
            position, halted = halts.snapshot()
            assert halts.shown[1] == halted and halts.shown[0] <= position
            standings.renew(game)
            ranks.hear(bus)
            bus.clear()
            assert ranks.shown == ranks.snapshot()
        assert sum(version for version, _ in shown.values()) > len(people)
        assert ranks.heard == 1 + len(batches) <= halts.heard
        drill.close()
