"""`manage.py soak failover`: the primary source falls silent again and again; the backup must speak at once.

Two venues tell the same market, in Binance's and in OKX's language. Every trade has one number: none may pass
twice, and none may be missing without a gap that names it.
"""

from __future__ import annotations

import random
import time
from typing import Any

from ops.chaos.town import wait_for
from ops.load.bench import percentile
from ops.soak.drill import Drill
from ops.soak.ledger import amount
from ops.soak.place import Facts, Place
from simgame.kernel.clock import NS_PER_MS

SPEAKS_MS_MAX = 3_000
PATIENCE_S = 120.0
BETWEEN_S = (1.0, 3.0)
HOWS = ("refused", "silent")
PRIMARY, BACKUP = "binance", "okx"


class Switches(Drill):
    name = "failover"
    sources, wire = "binance,okx", True
    checkpoint_s = 0.0

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self.switches: list[Facts] = []

    def settle(self) -> Place:
        return Place(self.home, self.say, links=0, exchange=False, wire=True)

    def work(self) -> None:
        chance = random.Random(self.options["seed"])
        self.place.venue("go", rate=self.options["rate"])
        wait_for(lambda: self._speaks(PRIMARY, 0), "the primary", PATIENCE_S)
        self._wait_for_backup()
        for number in range(self.options["cycles"]):
            time.sleep(chance.uniform(*BETWEEN_S))
            self._switch(HOWS[number % len(HOWS)])

    def _switch(self, how: str) -> None:
        place = self.place
        cut_ns = place.wire("cut", way=0, how=how)["at_ns"]
        begun_ns = wait_for(lambda: self._speaks(BACKUP, cut_ns), "the backup", PATIENCE_S)
        place.wire("mend", way=0)
        mended_ns = time.time_ns()
        back_ns = wait_for(lambda: self._speaks(PRIMARY, mended_ns), "the primary again", PATIENCE_S)
        self.switches.append({
            "how": how,
            "backup_ms": round((begun_ns - cut_ns) / NS_PER_MS),
            "back_ms": round((back_ns - mended_ns) / NS_PER_MS),
        })  # fmt: skip
        self.checkpoint()

    def _wait_for_backup(self) -> None:
        """Both are live before anything is cut."""

        def both() -> bool:
            source = (self.place.status() or {}).get("source", {})
            return [one.get("state") for one in source.get("sources", ())] == ["live", "live"]

        wait_for(both, "two live sources", PATIENCE_S)

    def _speaks(self, name: str, since_ns: int) -> int:
        """When that source's first tick after the moment came; 0: not yet."""
        self.place.read()
        for source, _, received_ns in reversed(self.place.ledger.switched):
            if source == name and received_ns >= since_ns:
                return received_ns
            if received_ns < since_ns:
                break
        return 0

    def look(self) -> Facts:
        return {"switch": len(self.switches), **self.switches[-1]}

    def judge(self) -> None:
        place, ledger = self.place, self.place.ledger
        place.venue("pause")
        place.drain(trades_only=True)
        missing = ledger.absent(place.venue("facts")["heads"], trades_only=True)
        for switch in self.switches:
            if switch["backup_ms"] > SPEAKS_MS_MAX:
                self.found("late", f"the backup spoke {switch['backup_ms']} ms after the cut", switch=switch)
        if ledger.doubled:
            self.found("doubled", f"{len(ledger.doubled)} trades passed twice", first=ledger.doubled[:5])
        if missing:
            self.found("lost", f"{amount(missing)} trades that both venues told are not in the log")
        self.judge_bars()
        times = [switch["backup_ms"] for switch in self.switches]
        self.facts = {
            "switches": len(self.switches),
            "backup_ms": {"p50": percentile(times, 0.5), "max": max(times, default=None)},
            "trades_doubled": len(ledger.doubled),
            "trades_missing": amount(missing),
            "kept": ledger.count,
        }
