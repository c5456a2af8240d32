"""`manage.py soak cuts`: the network between feed and venue is cut, and what was missed must be told exactly.

First two of 30 s, packets dropped silently and the cable pulled, then short ones at chance moments. Of
every cut: how long after the network's return the source is live with every subscription acknowledged,
until the first tick, until every instrument ticks. All missing trades, by the venue's own numbers, must be
named in the log's gaps, and nothing else.
"""

from __future__ import annotations

import random
import time
from typing import Any

from ops.chaos.town import wait_for
from ops.load.bench import percentile
from ops.soak.drill import Drill
from ops.soak.ledger import Stream, amount
from ops.soak.place import Facts, Place
from simgame.kernel.clock import NS_PER_MS

LONG_S = 30.0
LIVE_MS_MAX = 5_000  # after the return of a network that was away for LONG_S
SHORT_S = (0.2, 3.0)
BETWEEN_S = (0.5, 3.0)
HOWS = ("silent", "refused")
PATIENCE_S = 90.0


class Cuts(Drill):
    name = "cuts"
    wire = True
    checkpoint_s = 0.0

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self.cuts: list[Facts] = []

    def settle(self) -> Place:
        return Place(self.home, self.say, links=0, exchange=False, wire=True)

    def work(self) -> None:
        self.chance = random.Random(self.options["seed"])
        self.place.venue("go", rate=self.options["rate"])
        for how in HOWS if self.options["long"] else ():  # first: a series makes the feed patient on purpose
            self._cut(how, LONG_S)
        for _ in range(self.options["cycles"]):
            self._cut(self.chance.choice(HOWS), self.chance.uniform(*SHORT_S))

    def _cut(self, how: str, seconds: float) -> None:
        """Cut, mend, wait until everything is as before."""
        place, ledger = self.place, self.place.ledger
        time.sleep(self.chance.uniform(*BETWEEN_S))
        place.read()
        place.wire("cut", way=0, how=how)
        time.sleep(seconds)
        epoch = ledger.speaker[1]
        returned_ns = place.wire("mend", way=0)["at_ns"]
        wait_for(lambda: self._is_live(epoch), "a live source", PATIENCE_S)
        live_ms = (time.time_ns() - returned_ns) / NS_PER_MS
        # The source was live at once when the silence was too short to be noticed.
        wait_for(lambda: self._all_tick(epoch), "ticks of every instrument", PATIENCE_S)
        begun_ns = next(ns for _, each, ns in ledger.switched if each > epoch)
        whole_ms = (time.time_ns() - returned_ns) / NS_PER_MS
        first_ms = (begun_ns - returned_ns) / NS_PER_MS
        cut = {
            "how": how,
            "seconds": round(seconds, 1),
            "live_ms": live_ms,
            "first_ms": first_ms,
            "whole_ms": whole_ms,
        }
        self.cuts.append(
            {name: round(value) if name.endswith("_ms") else value for name, value in cut.items()}
        )
        self.checkpoint()

    def _is_live(self, epoch: int) -> bool:
        """A newer connection is live and everything wanted is acknowledged."""
        source = (self.place.status() or {}).get("source", {})
        return bool(
            source.get("epoch", 0) > epoch
            and source.get("state") == "live"
            and source.get("acknowledged") == source.get("wanted")
        )

    def _all_tick(self, epoch: int) -> bool:
        self.place.read()
        epochs = self.place.ledger.quote_epochs
        return all(epochs.get(symbol, 0) > epoch for symbol in self.place.symbols)

    def look(self) -> Facts:
        return {"cut": len(self.cuts), **self.cuts[-1]}

    def judge(self) -> None:
        place, ledger = self.place, self.place.ledger
        place.venue("pause")
        place.drain()
        missing = ledger.absent(place.venue("facts")["heads"], trades_only=True)
        told = ledger.told()
        self._compare(missing, told)
        for cut in self.cuts:
            if cut["seconds"] >= LONG_S and cut["live_ms"] > LIVE_MS_MAX:
                self.found("late", f"live {cut['live_ms']} ms after the network was back", cut=cut)
        if ledger.doubled:
            self.found(
                "doubled", f"{len(ledger.doubled)} trades are in the log twice", first=ledger.doubled[:5]
            )
        connections = len(ledger.switched) - 1
        if connections != len(self.cuts) or len(ledger.gaps_between()) < connections:
            self.found(
                "gaps",
                f"{len(self.cuts)} cuts, {connections} reconnects, {len(ledger.gaps_between())} with a gap",
            )
        self.judge_bars()
        self.facts = {
            "cuts": len(self.cuts),
            "reconnects": connections,
            "trades_missing": amount(missing),
            "trades_told_missing": amount(told),
            "trades_doubled": len(ledger.doubled),
            "kept": ledger.count,
            **self._times("short", [cut for cut in self.cuts if cut["seconds"] < LONG_S]),
            "long": [cut for cut in self.cuts if cut["seconds"] >= LONG_S],
        }

    def _compare(self, missing: dict[Stream, Any], told: dict[Stream, Any]) -> None:
        for stream in sorted(missing.keys() | told.keys()):
            if missing.get(stream, []) != told.get(stream, []):
                self.found("untold", f"{stream[0]}: missing {missing.get(stream)}, told {told.get(stream)}")

    def _times(self, name: str, cuts: list[Facts]) -> Facts:
        return {
            f"{name}_{what}": {
                "p50": percentile([c[what] for c in cuts], 0.5),
                "max": max(c[what] for c in cuts),
            }
            for what in ("live_ms", "first_ms", "whole_ms")
            if cuts
        }
