"""Bars on their way from memory into the tables: what is not written yet waits here, bounded."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from market.feed import recovery, store
from market.feed.bars import STORED, Bar, BarBuilder, Key
from market.feed.database import NO_ANSWER, DatabaseThread
from market.feed.recovery import StoredBar

UNWRITTEN_MAX = 100_000  # bars waiting for a database that is away; more come from the WAL
FORMING_EVERY = 5  # writes: a bar that still forms is written at every fifth, a finished one at the next


class BarWriter:
    """`written`: rows so far."""

    def __init__(self, bars: BarBuilder, ids: Mapping[str, int], database: DatabaseThread):
        self.bars, self.ids, self.database = bars, ids, database
        self.written = 0
        self.in_flight: dict[Key, Bar] = {}  # on their way into the database
        self._unwritten: dict[Key, Bar] = {}
        self._turn = 0

    def changed(self, dirty: Mapping[Key, Bar]) -> None:
        for key, bar in dirty.items():
            if key[1] in STORED:
                self._unwritten[key] = bar

    async def write(self, *, everything: bool = True) -> None:
        """What could not be written stays for the next time."""
        self._turn += 1
        everything = everything or self._turn % FORMING_EVERY == 0
        # What was on its way when a stop cancelled the wait may never have left: send it again.
        due = {**self.in_flight, **self._unwritten}
        self._unwritten = {}
        if not everything:
            self._unwritten = {key: bar for key, bar in due.items() if self._forms(key)}
            due = {key: bar for key, bar in due.items() if key not in self._unwritten}
        self.in_flight = due
        rows = [
            (self.ids[symbol], interval, msgspec.structs.replace(bar))
            for (symbol, interval, _), bar in due.items()
        ]
        taken = await self.database.run(store.write_bars, rows, default=NO_ANSWER) is not NO_ANSWER
        back, self.in_flight = self.in_flight, {}
        if taken:
            self.written += len(rows)
            return
        self._unwritten = {**back, **self._unwritten}
        for key in list(self._unwritten)[: max(0, len(self._unwritten) - UNWRITTEN_MAX)]:
            del self._unwritten[key]

    def say_again(self) -> list[tuple[int, str, int]]:
        """After a torn tail: the newest bars hold; all of them are written anew, and nothing after them.

        Returns (instrument id, interval, start) of the newest of each.
        """
        newest = []
        for symbol, series in self.bars.series.items():
            for interval in STORED:
                for kept in (series.before, series.forming):
                    if interval in kept and symbol in self.ids:
                        self._unwritten[symbol, interval, kept[interval].start] = kept[interval]
                if interval in series.forming and symbol in self.ids:
                    newest.append((self.ids[symbol], interval, series.forming[interval].start))
        return newest

    def waiting(self) -> list[StoredBar]:
        """For the checkpoint: what the database does not have yet."""
        return recovery.unwritten({**self.in_flight, **self._unwritten})

    def _forms(self, key: Key) -> bool:
        series = self.bars.series.get(key[0])
        forming = series.forming.get(key[1]) if series else None
        return forming is not None and forming.start == key[2]
