"""Python's garbage collector in processes that live long and answer quickly."""

from __future__ import annotations

import gc

YOUNG_MAX = 50_000  # objects between two looks at the young; the default, 700, looks at every few requests
NEW_WORTH_A_LOOK = 1_000
NEW_LOOKED_AT_MAX = 5_000  # a look goes through all of them, some milliseconds in which nobody is answered


def set_aside() -> None:
    """What exists now stays: modules, models, books. The collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, 20, 100)


def set_aside_for_books() -> None:
    """The same where nearly all that is made stays, as orders do: until `as_usual` the collector looks when
    it is told that nobody waits (`look_while_idle`), and never by itself."""
    gc.disable()
    gc.collect()
    gc.freeze()


def look_while_idle() -> None:
    """At what is new, for cycles of tasks and exceptions. What has stood the look is set aside; so is,
    unseen, what a long stretch of work has made: a look at so much would be a pause for whoever comes."""
    new = gc.get_count()[0]
    if new < NEW_WORTH_A_LOOK:
        return
    if new <= NEW_LOOKED_AT_MAX:
        gc.collect(0)
    gc.freeze()


def let_go() -> None:
    """The books before are no longer of use: whoever sets aside next looks at what was set aside, too."""
    gc.unfreeze()


def as_usual() -> None:
    """The books are closed: the collector looks by itself again."""
    gc.enable()
