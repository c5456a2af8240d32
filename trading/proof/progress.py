"""A bar with the time left on stderr; where stderr is no terminal, a line now and then."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from simgame.kernel import clock

SAID_EVERY_S = 10.0
Advance = Callable[[int], None]


@contextmanager
def bar(what: str, total: int) -> Iterator[Advance]:
    """Call what it yields with how many more are done."""
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield _Lines(what, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda n: progress.advance(task, n)


class _Lines:
    def __init__(self, what: str, total: int):
        self.what, self.total, self.done = what, total, 0
        self.began = self.said = clock.monotonic_s()

    def __call__(self, n: int) -> None:
        self.done += n
        now = clock.monotonic_s()
        if now - self.said < SAID_EVERY_S:
            return
        self.said = now
        rate = self.done / max(now - self.began, 0.001)
        left = max(self.total - self.done, 0) / rate if rate else 0
        sys.stderr.write(f"{self.what}: {self.done:,} of {self.total:,}, {rate:,.0f}/s, {left:,.0f} s left\n")
        sys.stderr.flush()
