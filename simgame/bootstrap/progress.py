"""What a person sees while things are made ready: one short line a step, with its duration."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

CODES = {"green": "32", "red": "31", "yellow": "33", "bold": "1", "dim": "2"}
LABEL_WIDTH = 34


class SetupFailed(RuntimeError):
    """Something needed is missing: one sentence that says what to do."""


class Progress:
    """Lines on `stream`; colours and the running line only on a terminal, and never with NO_COLOR."""

    def __init__(self, stream: TextIO | None = None):
        self.stream = stream or sys.stderr
        self.terminal = self.stream.isatty() and os.environ.get("TERM") != "dumb"
        self.colours = self.terminal and "NO_COLOR" not in os.environ

    def paint(self, text: str, colour: str) -> str:
        return f"\x1b[{CODES[colour]}m{text}\x1b[0m" if self.colours else text

    def say(self, text: str = "") -> None:
        print(text, file=self.stream, flush=True)

    def warn(self, text: str) -> None:
        self.say(f"  {self.paint('!', 'yellow')} {text}")

    @contextmanager
    def step(self, label: str) -> Iterator[None]:
        """`label` while it runs, a tick and seconds when it is done, a cross when it raised."""
        started = time.monotonic()
        if self.terminal:
            self.stream.write(f"  … {label}")
            self.stream.flush()
        try:
            yield
        except BaseException:
            self._close(self.paint("✗", "red"), label, started)
            raise
        self._close(self.paint("✓", "green"), label, started)

    def _close(self, mark: str, label: str, started: float) -> None:
        seconds = self.paint(f"{time.monotonic() - started:5.1f} s", "dim")
        self.say(f"{chr(13) if self.terminal else ''}  {mark} {label:<{LABEL_WIDTH}} {seconds}")
