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
