"""What is remembered is bounded in time and in number."""

from __future__ import annotations

import pytest

from accounts.recent import Recent
from simgame.kernel import clock


def test_a_value_is_forgotten_when_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [10.0]
    monkeypatch.setattr(clock, "monotonic_s", lambda: now[0])
    kept: Recent[str] = Recent(4.0, size_max=9)
    kept.put("alice", "known")
    now[0] += 3.9
    assert kept.get("alice") == "known"
    now[0] += 0.1
    assert kept.get("alice") is None


def test_the_oldest_leave_first() -> None:
    kept: Recent[int] = Recent(60.0, size_max=2)
    for n, name in enumerate(["alice", "bob", "alice", "carol"]):
        kept.put(name, n)
    assert [kept.get(name) for name in ("alice", "bob", "carol")] == [2, None, 3]
    kept.forget()
    assert kept.get("alice") is None


def test_what_was_learnt_at_one_moment_is_not_forgotten_at_one_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(clock, "monotonic_s", lambda: now[0])
    kept: Recent[int] = Recent(600.0, size_max=1_000, spread_s=300.0)
    for desk in range(1, 1_001):
        kept.put(desk, desk)

    def left() -> int:
        return sum(kept.get(desk) is not None for desk in range(1, 1_001))

    now[0] = 299.9
    assert left() == 1_000
    now[0] = 450.0
    assert 300 < left() < 700
    now[0] = 600.0
    assert left() == 0
