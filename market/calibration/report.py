"""One run of the calibration: live the days, measure, compare."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any, NamedTuple

from market.calibration import days, figures, plot, real
from market.calibration.figures import TARGETS, Figures, verdict
from market.simulation import MODEL


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
    progress: days.Progress = lambda _what, _done, _all: None,
) -> Report:
    """ends: days of which the last `lived_s` seconds are lived, 0: none; whole: days lived from the first
    auction to the last, 0: none; count: instruments of those; data: the folder of recordings.
    """
    ours: Figures = {}
    shape: list[float] = []
    if ends:
        rows = days.ends_of_days(days.market_of(seed, 30), ends, lived_s, progress)
        ours |= figures.of_days(rows)
    if whole:
        lived = days.whole_days(days.market_of(seed + 1, count), whole, progress)
        ours |= figures.of_minutes(lived.volumes, lived.closes) | figures.of_tape(lived.tape)
        ours["range"] = 100 * statistics.median(lived.ranges)
        total = sum(map(sum, lived.volumes))
        shape = [sum(column) / total for column in zip(*lived.volumes, strict=True)]
    ours["impact"], ours["recovery"] = days.impact(seed)
    theirs, real_shape = real.measured(data) if data is not None else ({}, [])
    return Report(ours, theirs, shape, real_shape, seed)
