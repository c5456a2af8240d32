"""People for the tests of this room, and caches that begin empty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from accounts import limits, logins, players
from accounts.models import Player
from simgame.switches import runtime

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    for forget in (limits.forget, logins.recent.forget, runtime.forget):
        forget()
    yield
    for forget in (limits.forget, logins.recent.forget, runtime.forget):
        forget()


@pytest.fixture
def alice(db: None) -> Player:
    return players.register("Alice", PASSWORD)


@pytest.fixture
def bob(db: None) -> Player:
    return players.register("Bob", PASSWORD)
