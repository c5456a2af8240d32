"""Limits: a burst of the whole allowance, then its even rate; headers that clients can plan with."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from accounts import limits
from accounts.limits import Bucket
from simgame.kernel import clock


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(clock, "monotonic_s", lambda: now[0])
    return now


def test_five_a_second_are_five_at_once_and_then_one_each_fifth_of_a_second(time: list[float]) -> None:
    answers = [limits.take("alice", 5) for _ in range(6)]
    assert [answer.ok for answer in answers] == [True] * 5 + [False]
    assert [answer.remaining for answer in answers] == [4, 3, 2, 1, 0, 0]
    assert answers[-1].reset_s == pytest.approx(0.2)
    assert limits.take("bob", 5).ok
    time[0] += 0.2
    assert [limits.take("alice", 5).ok for _ in range(2)] == [True, False]
    time[0] += 100
    assert sum(limits.take("alice", 5).ok for _ in range(9)) == 5


def test_a_limit_a_minute_counts_minutes(time: list[float]) -> None:
    assert [limits.take("home", 2, 60).ok for _ in range(3)] == [True, True, False]
    time[0] += 29.9
    assert not limits.take("home", 2, 60).ok
    time[0] += 0.2
    assert limits.take("home", 2, 60).ok


def test_the_headers_tell_when_to_come_back(time: list[float]) -> None:
    limits.take("alice", 1, 60)
    headers = limits.take("alice", 1, 60).headers("orders")
    assert headers["RateLimit-Policy"] == '"orders";q=1;w=60'
    assert headers["RateLimit"] == '"orders";r=0;t=60'
    assert headers["Retry-After"] == "60"
    assert "Retry-After" not in limits.take("bob", 1).headers()


def test_a_hundred_at_once_get_no_more_than_the_limit(time: list[float]) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: limits.take("alice", 7).ok, range(100)))
    assert sum(answers) == 7


MINE, HOME = Bucket("mine", 7, 60), Bucket("home", 9, 60)


@pytest.fixture(params=["Valkey", "no Valkey"])
def counted(request: pytest.FixtureRequest, settings: Any) -> Iterator[None]:
    """Who counts: Valkey for every process, or this process while Valkey is away."""
    limits._script.cache_clear()
    if request.param == "no Valkey":
        settings.REDIS_URL = "redis://127.0.0.1:1"
    limits.forget()
    yield
    limits.forget()
    limits._script.cache_clear()


def test_two_hundred_at_once_get_no_more_than_the_limit_of_all_their_buckets(counted: None) -> None:
    with ThreadPoolExecutor(20) as pool:
        alice = sum(pool.map(lambda _: limits.take_all([MINE, HOME]).ok, range(100)))
        bob = sum(pool.map(lambda _: limits.take_all([Bucket("bob", 7, 60), HOME]).ok, range(100)))
    assert (alice, bob) == (7, 2), "nine from one address; a refusal costs nothing"
    refused = limits.take_all([MINE, HOME])
    assert (refused.ok, refused.limit, refused.window_s) == (False, 7, 60)
    assert 0 < refused.reset_s <= 60 / 7
    assert limits.take_all([Bucket("carol", 3, 60)])[:3] == (True, 3, 2)


def test_countless_keys_do_not_grow_without_end(time: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "KEYS_MAX", 100)
    for n in range(1000):
        time[0] += 0.01
        assert limits.take(f"forged-{n}", 50).ok
    assert len(limits._until) <= 100
