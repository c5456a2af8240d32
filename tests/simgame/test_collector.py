"""An exchange's orders stay: the collector looks at them while nobody waits, in small parts, and once."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from simgame.kernel import collector


class Order:
    """Knows itself, as an order and its market know each other: only the collector frees it."""

    def __init__(self) -> None:
        self.market = self


@pytest.fixture
def looks() -> Iterator[list[int]]:
    """The generation of each look of the collector."""
    seen: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            seen.append(info["generation"])

    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)
    collector.let_go()
    collector.as_usual()


@pytest.fixture
def books(looks: list[int]) -> list[int]:
    collector.set_aside_for_books()
    looks.clear()
    return looks


def test_nobody_waits_for_the_collector_while_a_quarter_of_a_million_orders_come(books: list[int]) -> None:
    orders = [[number] for number in range(250_000)]
    assert books == []
    collector.look_while_idle()
    assert books == []  # so many would be a pause for whoever comes next
    assert gc.get_freeze_count() > len(orders)


def test_in_an_idle_moment_what_is_new_is_looked_at_once(books: list[int]) -> None:
    gone = weakref.ref(Order())
    kept = [[number] for number in range(2 * collector.NEW_WORTH_A_LOOK)]
    assert gone() is not None
    collector.look_while_idle()
    assert books == [0]
    assert gone() is None
    assert gc.get_freeze_count() > len(kept)
    collector.look_while_idle()
    assert books == [0]  # nothing new is worth a look


def test_books_that_were_thrown_away_are_freed_when_new_ones_are_read(books: list[int]) -> None:
    before = Order()
    gone = weakref.ref(before)
    collector.set_aside_for_books()
    del before
    collector.set_aside_for_books()
    assert gone() is not None  # it was set aside
    collector.let_go()
    collector.set_aside_for_books()
    assert gone() is None
