"""Old snapshot + messages = new snapshot, for quote, depth, board and phase: real rows, real Redis."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import msgspec
import pytest
import redis
from django.conf import settings
from hypothesis import strategies as st

from market import topics
from market.models import World
from market.ticks import Tick
from realtime.publish import BUS_CHANNEL, Message, decode_frame
from realtime.topics import Policy
from tests.market.conftest import phase, quote, reference, trade

FOLLOWED = ("board:seeded", "phase:seeded", "quote:seeded:ALB", "depth:seeded:ALB")
MARK = b"said everything"
Position = tuple[str, int]
seqs = itertools.count(1_000)


@pytest.fixture
def heard() -> Iterator[Callable[[], list[Message]]]:
    """Everything that the bus said since it was asked last."""
    with redis.Redis.from_url(settings.REDIS_URL) as server, server.pubsub() as bus:
        bus.subscribe(BUS_CHANNEL)
        assert bus.get_message(timeout=5) is not None

        def messages() -> list[Message]:
            server.publish(BUS_CHANNEL, MARK)
            found: list[Message] = []
            while (said := bus.get_message(timeout=5)) and said["data"] != MARK:
                found += decode_frame(said["data"]).messages
            return found

        yield messages


def snapshot(world: World, topic: str) -> tuple[Position, Any]:
    kind, _, rest = topic.partition(":")
    found = topics.KINDS[kind][1](world, rest.partition(":")[2])
    return (found.epoch, found.offset), msgspec.json.decode(msgspec.json.encode(found.data))


def after(topic: str, state: Any, message: Message) -> Any:
    data = msgspec.json.decode(message.data)
    return state | data if topics.KINDS[topic.partition(":")[0]][0] is Policy.MERGE else data


def tick(what: str, symbol: str, price: int) -> Tick:
    made = {
        "quote": lambda seq: quote(symbol, price, price + 1, seq),
        "trade": lambda seq: trade(symbol, price, 100, seq),
        "reference": lambda seq: reference(symbol, price, seq),
        "phase": lambda seq: phase(seq, "break" if price % 2 else "continuous"),
    }
    return made[what](next(seqs))


tick_words = st.tuples(
    st.sampled_from(["quote", "trade", "reference", "phase"]),
    st.sampled_from(["ALB", "PWS"]),
    st.integers(1_200, 1_400),
)


@hypothesis.given(flushes=st.lists(st.lists(tick_words, min_size=1, max_size=4), min_size=1, max_size=5))
@hypothesis.settings(
    max_examples=25, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
def test_whoever_hears_every_message_shows_what_a_newcomer_is_shown(
    world: World, said: Callable[..., None], heard: Callable[[], list[Message]], sign_lease: Any, flushes: Any
) -> None:
    sign_lease(world)
    said(phase(next(seqs)), quote("ALB", 1_300, 1_301, next(seqs)), quote("PWS", 1_300, 1_301, next(seqs)))
    heard()
    shown = {topic: snapshot(world, topic) for topic in FOLLOWED}
    for words in flushes:
        said(*(tick(*each) for each in words))
        for message in heard():
            if message.topic not in shown:
                continue
            (epoch, offset), state = shown[message.topic]
            assert (message.epoch, message.offset > offset) == (epoch, True)
            shown[message.topic] = (epoch, message.offset), after(message.topic, state, message)
        for topic in FOLLOWED:
            assert shown[topic] == snapshot(world, topic), topic
