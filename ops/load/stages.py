"""What the stages of benches share: a line of JSON for each line they hear."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 120.0  # a busy machine starts processes slowly


def say(**answer: Any) -> None:
    print(json.dumps(answer), flush=True)


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise SystemExit(f"no {what} within {PATIENCE_S:g} s")
        time.sleep(0.05)
    return value
