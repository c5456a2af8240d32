"""Starting a venue as a process of its own, and telling it what to do wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
