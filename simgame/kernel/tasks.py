"""Ending asyncio tasks for sure."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN_S = 1.0


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel until all have ended: redis-py may swallow a cancellation that meets its time-out."""
    waiting = [task for task in tasks if not task.done()]
    while waiting:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting, timeout=AGAIN_S)
        waiting = [task for task in waiting if not task.done()]
