"""A real feed process serves the seeded world: read it with and without Redis, and reproduce it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from django.conf import settings

from market import latest, queries, seed_state, worlds
from market.errors import FeedUnavailable
from market.feed import client
from market.models import World
from market.simulation import Event, SeededMarket
from market.topics import snapshot
from realtime import wanted
from realtime.publish import BUS_CHANNEL, Message, decode_frame
from realtime.topics import Snapshot
from simgame.kernel import clock
from tests.live import wait_until

UP_S = 60.0
BOARD = "board:seeded"
FLUSHES_UNTIL_HEARD = 3  # one may be half rendered, the next looks, the third is rendered by what it saw


@pytest.fixture
def served(child_env: dict[str, str], tmp_path: Path) -> Iterator[World]:
    """The seeded world, served by a feed with a home of its own."""
    world = worlds.ensure("seeded")
    command = [sys.executable, "manage.py", "run_feed", "--world", "seeded"]
    log = tmp_path / "feed.log"
    with log.open("wb") as out:
        feed = subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            env={**child_env, "SIMGAME_HOME": str(tmp_path)},
            stderr=out,
            stdout=out,
        )
    try:
        wait_until_it_serves(world, feed, log)
        yield world
    finally:
        feed.terminate()
        feed.wait(20)


def wait_until_it_serves(world: World, feed: subprocess.Popen[bytes], log: Path) -> None:
    until = clock.monotonic_s() + UP_S
    while clock.monotonic_s() < until:
        with suppress(subprocess.TimeoutExpired):
            feed.wait(0.2)
            pytest.fail(f"the feed ended:\n{log.read_text()}")
        try:
            if client.ask_sync(world.number, {"op": "status"})["source"]["step"] > 8:
                return
        except FeedUnavailable:
            continue
    pytest.fail(f"the feed did not serve within {UP_S} s:\n{log.read_text()}")


def told_in_full(world: World) -> dict[str, Any]:
    """Where the market stands, once the journal, which is written a second later, has come as far."""
    until = clock.monotonic_s() + UP_S
    while True:
        told = seed_state.of(world)
        journal = [event for event in told["journal"] if event["n"] <= told["events"]]
        if len(journal) == told["events"]:
            return told | {"journal": journal}
        assert clock.monotonic_s() < until, f"{told['events']} events, in the journal {len(journal)}"


@pytest.mark.slow
def test_the_same_rows_with_and_without_redis_and_a_market_that_anybody_can_reproduce(served, monkeypatch):
    rows = queries.quotes(served)
    assert len(rows) == 30
    assert all(row["bid"] and row["ask"] and row["previous_close"] for row in rows.values())
    assert "stale" not in rows["ALB"]

    told = told_in_full(served)
    again = SeededMarket(told["seed"], int(told["start_ns"]))
    again.relive([Event(**event) for event in told["journal"]], told["step"])
    assert (again.step_no, again.state_hash()) == (told["step"], told["hash"])

    with monkeypatch.context() as patched:
        patched.setattr(settings, "REDIS_URL", "unix:///nowhere/valkey.sock")
        latest._redis.cache_clear()
        alone = queries.quotes(served)
        assert alone.keys() == rows.keys()
        assert alone["ALB"].keys() == rows["ALB"].keys()
        assert alone["ALB"]["seq"] >= rows["ALB"]["seq"]
        assert len(queries.depth(served, "ALB")["bids"]) == 5
        assert queries.phase(served)["phase"] == "continuous"
        for topic in ("quote:seeded:ALB", "depth:seeded:ALB", "trades:seeded:ALB", "bars:seeded:ALB:1m"):
            found = snapshot(topic)
            assert found.epoch == f"{served.stream_epoch}.1", topic
        assert len(snapshot("bars:seeded:ALB:1m").data["bars"]) == queries.BARS_SHOWN
    latest._redis.cache_clear()


class Listener:
    """Hears what the feed says to the web workers, and keeps it by topic."""

    def __init__(self) -> None:
        self.said: dict[str, list[Message]] = {}
        self._server = redis.Redis.from_url(settings.REDIS_URL)
        self._bus = self._server.pubsub(ignore_subscribe_messages=True)
        self._bus.subscribe(BUS_CHANNEL)
        self._bus.get_message(timeout=5)

    def read(self, *topics: str) -> None:
        """Say that somebody reads these, as a web worker does; wait until the feed has heard it, and until
        its snapshots are as young as what it said first."""
        until_s = clock.now_ns() / clock.NS_PER_S + UP_S
        self._server.zadd(wanted.KEY, dict.fromkeys(topics, until_s))
        # A message alone proves nothing: while nobody can say who reads, all are sent. The feed looks once a
        # flush, so what it renders after the next one is sent because it is read.
        self.until(BOARD, snapshot(BOARD).offset + FLUSHES_UNTIL_HEARD)
        for topic in topics:
            self.until(topic, 1)
            heard = self.said[topic][-1].offset
            wait_until(lambda t=topic, n=heard: snapshot(t).offset >= n, f"{topic} stored up to {heard}")

    def until(self, topic: str, offset: int) -> None:
        until = clock.monotonic_s() + UP_S
        while not (self.said.get(topic) and self.said[topic][-1].offset >= offset):
            assert clock.monotonic_s() < until, f"{topic} did not reach {offset}"
            heard = self._bus.get_message(timeout=1)
            for message in decode_frame(heard["data"]).messages if heard else ():
                self.said.setdefault(message.topic, []).append(message)

    def between(self, topic: str, first: Snapshot, last: Snapshot) -> list[Any]:
        """The data of the messages that lead from one snapshot to the other."""
        heard = [message for message in self.said[topic] if first.offset < message.offset <= last.offset]
        assert [message.offset for message in heard] == list(range(first.offset + 1, last.offset + 1)), topic
        assert {message.epoch for message in heard} == {first.epoch} == {last.epoch}
        return [msgspec.json.decode(message.data) for message in heard]

    def close(self) -> None:
        self._bus.close()
        self._server.close()


@pytest.mark.slow
def test_a_snapshot_and_the_messages_after_it_make_the_next_snapshot(served):
    board, trades, bars = BOARD, "trades:seeded:PWS", "bars:seeded:PWS:1m"
    listener = Listener()
    try:
        listener.read(trades, bars)
        before = {topic: snapshot(topic) for topic in (board, trades, bars)}
        for topic, first in before.items():
            listener.until(topic, first.offset + 5)
        after = {topic: snapshot(topic) for topic in before}
        for topic, last in after.items():
            listener.until(topic, last.offset)
        changes = {topic: listener.between(topic, before[topic], after[topic]) for topic in before}
    finally:
        listener.close()

    rows = dict(before[board].data)
    for change in changes[board]:
        rows.update(change)
    assert rows == after[board].data

    tape = [*before[trades].data["trades"], *(row for change in changes[trades] for row in change["trades"])]
    assert tape[-50:] == after[trades].data["trades"]

    chart = queries.merged(before[bars].data["bars"], [change["bar"] for change in changes[bars]])
    assert chart[-2:] == after[bars].data["bars"][-2:]
