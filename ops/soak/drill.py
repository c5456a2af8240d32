"""What the drills of the feed share: findings, checkpoints on disk, a report also when interrupted."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ops.chaos.town import InVain, wait_for
from ops.load.bench import machine
from ops.soak.place import Facts, Place, Say

BARS_S = 30.0  # the feed writes them every second; a busy machine more seldom


class Drill:
    """Subclasses say `name`, `work` (may be stopped at any moment) and `judge` (what was found)."""

    name = ""
    sources, wire = "binance", False  # of the feed; whether they are reached over a network that can be cut
    checkpoint_s = 10.0

    def __init__(self, home: Path, options: dict[str, Any], say: Say):
        self.home, self.options, self.say = home, options, say
        self.findings: list[Facts] = []
        self.checkpoints: list[Facts] = []
        self.interrupted = False
        self.facts: Facts = {}
        self.place: Place
        self._machine = machine()
        self._began = time.monotonic()
        self._kept_at = 0.0

    # --- what a drill says -------------------------------------------------------------------------

    def settle(self) -> Place:
        """The place it plays in."""
        return Place(self.home, self.say)

    def work(self) -> None:
        raise NotImplementedError

    def judge(self) -> None:
        """Findings and facts of what was seen until now."""
        raise NotImplementedError

    def look(self) -> Facts:
        """One checkpoint."""
        return {}

    # --- the run -----------------------------------------------------------------------------------

    def run(self) -> Facts:
        with self.settle() as self.place:
            self._began = time.monotonic()
            try:
                self.work()
            except KeyboardInterrupt:
                self.say("stopped; this is what was seen until then")
                self.interrupted = True
            except (InVain, OSError) as vain:
                self.found("vain", str(vain))
            try:
                self.judge()
                self._leave()
            except (InVain, OSError) as vain:
                self.found("vain", str(vain))
        return self.keep(ended=True)

    def _leave(self) -> None:
        """A feed that is asked to leave leaves, and with 0."""
        if "feed" in self.place.town.running and (code := self.place.town.stop("feed")):
            self.found("exit", f"the feed left with {code}")

    def interrupt(self, *_: object) -> None:
        self.interrupted = True
        raise KeyboardInterrupt

    def found(self, kind: str, words: str, **data: Any) -> None:
        self.findings.append({"kind": kind, "words": words, **data})
        self.say(f"FOUND {kind}: {words}")

    def expect_none(self, kind: str, count: int, words: str, **data: Any) -> None:
        if count:
            self.found(kind, f"{count} {words}", **data)

    def judge_bars(self) -> None:
        """Once the feed has written them, the rows must be those that the whole log gives."""
        place = self.place
        place.read()
        try:
            wait_for(lambda: not place.ledger.bars_differ(place.stored_bars()), "bars", BARS_S)
        except InVain:
            rows = place.ledger.bars_differ(place.stored_bars())
            self.found("bars", f"{len(rows)} bars are not what the log gives", rows=rows[:5])

    def checkpoint(self) -> None:
        """Look, say it, and write the report so far; at most every `checkpoint_s`."""
        now = time.monotonic()
        if now - self._kept_at < self.checkpoint_s:
            return
        self._kept_at = now
        seen = {"at_s": round(now - self._began, 1), **self.look()}
        self.checkpoints.append(seen)
        self.say("  ".join(f"{name} {value}" for name, value in seen.items()))
        self.keep()

    def keep(self, *, ended: bool = False) -> Facts:
        """The report, also in the file that `--report` names."""
        report = {
            "drill": self.name,
            "machine": self._machine,
            "options": {name: value for name, value in self.options.items() if not isinstance(value, Path)},
            "seconds": round(time.monotonic() - self._began, 1),
            "ended": ended,
            "interrupted": self.interrupted,
            **self.facts,
            "findings": self.findings,
            "checkpoints": self.checkpoints,
        }
        path: Path | None = self.options.get("report")
        if path is not None:
            fresh = path.with_suffix(".new")
            fresh.write_text(json.dumps(report, default=str, indent=1), encoding="utf-8")
            os.replace(fresh, path)
        return report
