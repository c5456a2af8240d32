"""`manage.py soak short`: every drill but failover, each for a moment, in one home: is it all still whole?"""

from __future__ import annotations

from typing import Any

from ops.soak.attack import Attack
from ops.soak.cuts import Cuts
from ops.soak.drill import Drill
from ops.soak.kills import Kills
from ops.soak.place import Place
from ops.soak.steady import Steady

PARTS = (Steady, Cuts, Kills, Attack)  # kills end with a feed that is stopped, an attack looks at no gaps
LITTLE = {"for": 2.0, "cycles": 1, "ticks": 3_000, "long": False}


class Short(Drill):
    name = "short"
    wire = True

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self.parts: list[Drill] = []

    def settle(self) -> Place:
        return Place(self.home, self.say, links=1, wire=True)

    def work(self) -> None:
        for kind in PARTS:
            part = kind(self.home, self.options | LITTLE | {"report": None}, self.say)
            part.place = self.place
            self.parts.append(part)
            if self.place.town.running.get("feed") is None:
                self.place.start_feed()
            part.work()
            part.judge()

    def judge(self) -> None:
        for part in self.parts:
            self.findings += part.findings
            self.facts[part.name] = part.facts
