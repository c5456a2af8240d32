"""One run of the calibration: live the days, measure, compare."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any, NamedTuple

from market.calibration import days, figures, pieces, plot, real
from market.calibration.figures import TARGETS, Figures, verdict
from market.simulation import MODEL

ENDS_OF = 30  # instruments of the market of which only the ends of days are lived


class Report(NamedTuple):
    ours: Figures
    real: Figures
    shape: list[float]  # share of each minute in the day's volume
    real_shape: list[float]
    seed: int

    @property
    def failed(self) -> list[str]:
        """Names of the figures that lie outside of their range."""
        return [t.name for t in TARGETS if verdict(t, self.ours.get(t.name)) == "out of range"]

    def rows(self) -> list[dict[str, Any]]:
        return [
            {
                "name": target.name,
                "about": target.about,
                "unit": target.unit,
                "seeded": self.ours.get(target.name),
                "target": target.value,
                "real": self.real.get(target.name),
                "low": target.low,
                "high": target.high,
                "verdict": verdict(target, self.ours.get(target.name)),
            }
            for target in TARGETS
        ]

    def picture(self) -> str:
        title = f"The seeded market (model {MODEL}, seed {self.seed}) beside real ones"
        return plot.svg(self.ours, self.real, self.shape, self.real_shape, title)


def run(
    seed: int,
    *,
    ends: int,
    lived_s: int,
    whole: int,
    count: int,
    data: Path | None,
    processes: int = 1,
    progress: pieces.Shown = lambda _done, _all: None,
) -> Report:
    """ends: days of which the last `lived_s` seconds are lived, 0: none; whole: days lived from the first
    auction to the last, each of a market of its own, 0: none; count: instruments of those; data: the folder
    of recordings.
    """
    wanted = [pieces.Wanted(seed + 1 + n, 0, 0, count) for n in range(whole)]
    wanted += [pieces.Wanted(seed, ends, lived_s, ENDS_OF)] if ends else []
    lived = pieces.live(wanted, processes, progress)
    ours: Figures = {}
    shape: list[float] = []
    if ends:
        ours |= figures.of_days(lived[-1].rows)
    if whole:
        pooled = days.together(piece.whole for piece in lived[:whole])
        ours |= figures.of_minutes(pooled.volumes, pooled.closes) | figures.of_tape(pooled.tape)
        ours["range"] = 100 * statistics.median(pooled.ranges)
        total = sum(map(sum, pooled.volumes))
        shape = [sum(column) / total for column in zip(*pooled.volumes, strict=True)]
    ours["impact"], ours["recovery"] = days.impact(seed)
    theirs, real_shape = real.measured(data) if data is not None else ({}, [])
    return Report(ours, theirs, shape, real_shape, seed)
