"""A real feed process serves the seeded world: read it with and without Redis, and reproduce it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from market import latest, queries, seed_state, worlds
from market.errors import FeedUnavailable
from market.feed import client
from market.models import World
from market.simulation import SeededMarket
from market.topics import snapshot
from simgame.kernel import clock

UP_S = 60.0


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
        assert feed.poll() is None, log.read_text()
        try:
            if client.ask_sync(world.number, {"op": "status"})["source"]["step"] > 8:
                return
        except FeedUnavailable:
            continue
    pytest.fail(f"the feed did not serve within {UP_S} s:\n{log.read_text()}")


@pytest.mark.slow
def test_the_same_rows_with_and_without_redis_and_a_market_that_anybody_can_reproduce(served, monkeypatch):
    rows = queries.quotes(served)
    assert len(rows) == 30
    assert all(row["bid"] and row["ask"] and row["previous_close"] for row in rows.values())
    assert "stale" not in rows["ALB"]

    told = seed_state.of(served)
    again = SeededMarket(told["seed"], int(told["start_ns"]))
    again.relive(told["journal"], told["step"])
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
