"""`manage.py soak kills`: kill -9 of the feed at random moments, now and then with its last record torn.

After each: how long until ticks are served again, the feed's numbers go on without a hole, no trade is twice
in the log, and, every few kills, the bars of the database are what the whole log gives, row for row. At the
end the last record is torn at every one of its bytes, on a copy, and recovered each time.
"""

from __future__ import annotations

import logging
import os
import random
import shutil
import time
from pathlib import Path
from typing import Any

from market.feed import recovery, wal
from ops.chaos.town import wait_for
from ops.load.bench import percentile
from ops.soak.drill import Drill
from ops.soak.place import Facts, Place
from simgame.kernel.clock import NS_PER_MS

BETWEEN_S = (0.3, 3.0)
TORN_SHARE = 0.3
BARS_EVERY = 5
RECORDS_COPIED = 40


class Kills(Drill):
    name = "kills"
    checkpoint_s = 0.0

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self.kills: list[Facts] = []
        self.torn_bytes = 0

    def settle(self) -> Place:
        return Place(self.home, self.say, links=1)

    def work(self) -> None:
        self.chance = random.Random(self.options["seed"])
        self.place.venue("go", rate=self.options["rate"])
        for number in range(1, self.options["cycles"] + 1):
            self._kill()
            if number % BARS_EVERY == 0:
                self._pause_and_compare()
        self.place.venue("pause")
        self.place.drain(trades_only=True)
        self._tear_everywhere()

    def _kill(self) -> None:
        place, ledger = self.place, self.place.ledger
        place.read()
        time.sleep(self.chance.uniform(*BETWEEN_S))
        links = place.links.say("facts")["links"][0] if place.links else {}
        place.town.kill("feed")
        killed_ns = time.time_ns()
        cut = tear(place.tail.last_segment(), place.tail.offset, self.chance) if self._tears() else 0
        place.read()
        seq, connection = ledger.seq, ledger.speaker[1]
        place.town.restart("feed")
        wait_for(lambda: self._goes_on(connection), "ticks of every instrument after a kill")
        begun_ns = next(ns for _, each, ns in ledger.switched if each > connection)
        wait_for(lambda: self._served(links), "ticks at the downstream after a kill")
        self.kills.append({
            "torn_bytes": cut,
            "first_tick_ms": round((begun_ns - killed_ns) / NS_PER_MS),
            "seq": seq,
        })  # fmt: skip
        self.checkpoint()

    def _tears(self) -> bool:
        return self.chance.random() < TORN_SHARE

    def _goes_on(self, connection: int) -> bool:
        self.place.read()
        epochs = self.place.ledger.quote_epochs
        return all(epochs.get(symbol, 0) > connection for symbol in self.place.symbols)

    def _served(self, before: Facts) -> bool:
        links = self.place.links
        now = links.say("facts")["links"][0] if links else {}
        return bool(now["snapshots"] > before["snapshots"] and now["ticks"] > before["ticks"])

    def _pause_and_compare(self) -> None:
        self.place.venue("pause")
        self.place.drain(trades_only=True)
        self.judge_bars()
        self.place.venue("go", rate=self.options["rate"])

    def _tear_everywhere(self) -> None:
        """Whatever byte the last record ends at, the one before it is the last, and all of it is there."""
        place = self.place
        if code := place.town.stop("feed"):
            self.found("exit", f"the feed left with {code}")
        records = list(wal.scan(place.tail.last_segment()))[-RECORDS_COPIED:]
        longest = max(range(1, len(records)), key=lambda n: len(records[n].payload))
        del records[longest + 1 :]
        whole = wal.MAGIC + b"".join(wal.record_of(record.payload) for record in records)
        last = wal.HEAD_BYTES + len(records[-1].payload)
        begins = [
            int(wal.decode(record.payload)[-1].seq) for record in records[:-1] if _has_ticks(record.payload)
        ]
        folder = self.home / "torn"
        logging.disable(logging.WARNING)  # each of them is told in the feed's log
        for length in range(last):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            path = folder / records[-1].segment
            path.write_bytes(whole[: len(whole) - last + length])
            seq = recovery.recover(folder).state.seq
            if seq != begins[-1] or path.stat().st_size != len(whole) - last:
                self.found("torn", f"torn after {length} of {last} bytes: seq {seq}, not {begins[-1]}")
            self.torn_bytes += 1
            self._appends(folder, whole, last)
        logging.disable(logging.NOTSET)

    def _appends(self, folder: Path, whole: bytes, last: int) -> None:
        """What is written next stands behind it as if nothing had been."""
        path = wal.segments(folder)[-1]
        with path.open("ab") as file:
            file.write(whole[len(whole) - last :])
        if path.read_bytes() != whole:
            self.found("torn", f"the log is not whole again after {self.torn_bytes} bytes")

    def look(self) -> Facts:
        return {"kill": len(self.kills), **self.kills[-1]}

    def judge(self) -> None:
        place, ledger = self.place, self.place.ledger
        place.venue("pause")
        place.read()
        self.expect_none(
            "seq", len(ledger.seq_breaks), "jumps in the feed's numbers", first=ledger.seq_breaks[:5]
        )
        self.expect_none(
            "doubled", len(ledger.doubled), "trades are in the log twice", first=ledger.doubled[:5]
        )
        reconnects, told = len(ledger.switched) - 1, len(ledger.gaps_after())
        if told < reconnects:
            self.found("gaps", f"{reconnects} new beginnings, {told} with a gap in the log")
        self.judge_bars()
        times = [kill["first_tick_ms"] for kill in self.kills]
        self.facts = {
            "kills": len(self.kills),
            "torn": sum(bool(kill["torn_bytes"]) for kill in self.kills),
            "first_tick_ms": {"p50": percentile(times, 0.5), "max": max(times, default=None)},
            "torn_at_every_byte": self.torn_bytes,
            "seq": ledger.seq,
            "bars": len(ledger.bars),
            "kept": ledger.count,
        }


def _has_ticks(payload: bytes) -> bool:
    return isinstance(wal.decode(payload), list)


def tear(path: Path, offset: int, chance: random.Random) -> int:
    """Cut the last record after `offset` at a byte by chance, as a power cut may; how many bytes went."""
    found = [record for record in wal.scan(path, offset) if isinstance(record, wal.Record)]
    if not found:
        return 0
    last = found[-1]
    keep = chance.randrange(last.offset, last.end)
    size = path.stat().st_size
    os.truncate(path, keep)
    return size - keep
