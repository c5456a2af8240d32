"""Starting a venue as a process of its own, and telling it what to do wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen


class Venue:
    def __init__(self, address: str, process: subprocess.Popen[str]):
        self.address, self.process = address, process  # host:port

    def control(self, do: str, **more: Any) -> dict[str, Any]:
        with urlopen(f"http://{self.address}/control?{urlencode({'do': do, **more})}", timeout=10) as answer:
            return dict(json.load(answer))


@contextmanager
def venue(name: str, *arguments: str) -> Iterator[Venue]:
    """Runs `tests.venues.<name>` until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.venues.{name}", *arguments], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield Venue(process.stdout.readline().strip(), process)
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


class Street:
    """Venues that run for a whole session: each test begins with one that is well and that nobody knows."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._venues: dict[str, Venue] = {}

    def fresh(self, name: str) -> Venue:
        if name not in self._venues:
            self._venues[name] = self._stack.enter_context(venue(name))
        self._venues[name].control("reset")
        return self._venues[name]

    def close(self) -> None:
        self._stack.close()
