"""An exchange's orders stay: the collector looks at them once, in small parts, and never again."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from simgame.kernel import collector


@pytest.fixture
def looks() -> Iterator[list[int]]:
    """The generation of each look of the collector."""
    usual, seen = gc.get_threshold(), []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            seen.append(info["generation"])

    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)
    gc.set_threshold(*usual)
    gc.unfreeze()


def test_a_quarter_of_a_million_orders_are_looked_at_once_and_in_small_parts(looks: list[int]) -> None:
    collector.set_aside_for_books()
    looks.clear()
    orders = [[number] for number in range(250_000)]
    assert len(looks) >= len(orders) // collector.YOUNG_THAT_STAY_MAX - 1
    assert set(looks) == {0}
