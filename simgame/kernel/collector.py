"""Python's garbage collector in processes that live long and answer quickly."""

from __future__ import annotations

import gc

YOUNG_MAX = 50_000  # objects between two looks at the young; the default, 700, looks at every few requests
YOUNG_THAT_STAY_MAX = 10_000  # where most of them stay, a look goes through all of them: 5 ms
NEVER = 1_000_000


def set_aside() -> None:
    """What exists now stays: modules, models, books. The collector need not look at it again and again."""
    _freeze()
    gc.set_threshold(YOUNG_MAX, 20, 100)


def set_aside_for_books() -> None:
    """The same where nearly all that is made stays, as orders do, and nothing waits for the collector.

    Often a look at what is new, for cycles of tasks and exceptions, and none at what has stood one: the
    second look would go through a million objects, half a second in which nobody is answered.
    """
    _freeze()
    gc.set_threshold(YOUNG_THAT_STAY_MAX, NEVER, NEVER)


def _freeze() -> None:
    gc.collect()
    gc.freeze()
