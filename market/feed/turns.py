"""The feed's turns: whoever has something to do soon does it at the same moments, TURN_MS apart.

Waking costs more than a message does, above all under a hypervisor: the sockets of venues are read, and what
came is taken in, in one waking. After a pause the first message does not wait.
"""

from __future__ import annotations

import asyncio

TURN_MS = 2  # at 5,000/s fifteen messages share one waking, one record, one frame, one write


def wait_s(loop_s: float) -> float:
    """From this moment of the event loop's clock until the next turn, in seconds: never nothing."""
    return (TURN_MS - round(loop_s * 1_000) % TURN_MS) / 1_000


async def next_turn() -> None:
    await asyncio.sleep(wait_s(asyncio.get_running_loop().time()))
