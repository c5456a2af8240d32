"""The feed's turns: whoever has something to do soon does it at the same moments.

Waking costs more than a message does, above all under a hypervisor: the sockets of venues are read, and what
came is taken in, in one waking. What comes does not wait while turns have been few; where they follow each
other closely, the next begins at a moment that all share. Turns are as short as the processor allows: where
the feed would take more of it than its share, more messages share a turn.
"""

from __future__ import annotations

import asyncio
import math

from simgame.kernel import clock

SHORTEST_MS, LONGEST_MS = 1, 10  # at 5,000/s five messages share one record, one frame, one write; or fifty
CREDIT = 3  # turns saved up in quieter moments, at most: these are taken at once
SHARE = 0.24  # of a core, for the loop's own thread; those that ask the database have theirs
ROOM = 0.95  # of it: below, a shorter turn is tried; a millisecond costs some two to five per cent
LOOK_S = 0.5


class Credit:
    """One turn each `length_s` is earned; at most CREDIT are saved, and no more are owed."""

    def __init__(self) -> None:
        self._until_s = -math.inf  # all that is earned until then has been spent

    def spend(self, now_s: float, length_s: float) -> bool:
        """Spend one at this moment. False when nothing is left then."""
        saved = CREDIT * length_s
        self._until_s = min(max(self._until_s, now_s - saved), now_s) + length_s
        return self._until_s <= now_s


class Turns:
    """Those of an event loop."""

    def __init__(self) -> None:
        self.length_ms = SHORTEST_MS
        self._reading, self._taking = Credit(), Credit()
        self._began_s = -math.inf
        self._looked_s = self._used_s = 0.0

    def wait_s(self, loop_s: float) -> float:
        """After a reading at this moment of the loop's clock: seconds until the next one."""
        if self._reading.spend(loop_s, self.length_ms / 1_000):
            return 0.0
        return (self.length_ms - round(loop_s * 1_000) % self.length_ms) / 1_000

    async def begin(self) -> None:
        """Waits, where turns follow each other closely, until half a turn has passed since the last began.

        A venue that is read in turns never waits here, also when its reading was late; what comes one by one
        shares a turn.
        """
        loop, length_s = asyncio.get_running_loop(), self.length_ms / 1_000
        early_s = self._began_s + length_s / 2 - loop.time()
        if not self._taking.spend(loop.time(), length_s) and early_s > 0:
            await asyncio.sleep(early_s)
        self._began_s = now_s = loop.time()
        if now_s - self._looked_s >= LOOK_S:
            self.look(now_s, clock.thread_s())

    def look(self, now_s: float, used_s: float) -> None:
        """Make turns longer or shorter by what the thread has used: at most one millisecond at a time."""
        share = (used_s - self._used_s) / (now_s - self._looked_s)
        self._looked_s, self._used_s = now_s, used_s
        if share > SHARE:
            self.length_ms = min(self.length_ms + 1, LONGEST_MS)
        elif share < SHARE * ROOM:
            self.length_ms = max(self.length_ms - 1, SHORTEST_MS)


TURNS = Turns()  # a process has one feed, and one loop
