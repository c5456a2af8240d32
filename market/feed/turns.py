"""The feed's turns: whoever has something to do soon does it at the same moments.

Waking costs more than a message does, above all under a hypervisor: the sockets of venues are read, and what
came is taken in, in one waking. After a pause the first message does not wait. Turns are as short as the
processor allows: where the feed would take more of it than its share, more messages share a turn.
"""

from __future__ import annotations

import asyncio

from simgame.kernel import clock

SHORTEST_MS, LONGEST_MS = 2, 10  # at 5,000/s ten messages share one record, one frame, one write; or fifty
SHARE = 0.21  # of a core, for the loop's own thread; those that ask the database have theirs
ROOM = 0.95  # of it: below, a shorter turn is tried; a millisecond costs some two to five per cent
LOOK_S = 0.5


class Turns:
    """Those of an event loop."""

    def __init__(self) -> None:
        self.length_ms = SHORTEST_MS
        self._looked_s = self._used_s = 0.0

    def wait_s(self, loop_s: float) -> float:
        """From this moment of the loop's clock until the next turn, in seconds: never nothing."""
        return (self.length_ms - round(loop_s * 1_000) % self.length_ms) / 1_000

    async def next(self) -> None:
        await asyncio.sleep(self.wait_s(asyncio.get_running_loop().time()))
        self.look(clock.monotonic_s(), clock.thread_s())

    def look(self, now_s: float, used_s: float) -> None:
        """Make turns longer or shorter by what the thread has used: at most one millisecond at a time."""
        since_s = now_s - self._looked_s
        if since_s < LOOK_S:
            return
        share = (used_s - self._used_s) / since_s
        self._looked_s, self._used_s = now_s, used_s
        if share > SHARE:
            self.length_ms = min(self.length_ms + 1, LONGEST_MS)
        elif share < SHARE * ROOM:
            self.length_ms = max(self.length_ms - 1, SHORTEST_MS)


TURNS = Turns()  # a process has one feed, and one loop
