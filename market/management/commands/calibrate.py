"""Measures the seeded market beside real ones."""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from market.calibration import plot, report
from simgame.kernel.teaching import TeachingCommand

EXIT_OUT_OF_RANGE = 3
PROCESSES_MAX = 64  # more than any machine's cores would only wait for each other
BAR_WIDTH = 40


class Command(TeachingCommand):
    help = (
        "Lives days of the seeded market, measures them, and prints each figure beside its target and the\n"
        "same figure of recorded markets, where --data has them (A-shares 2019, Shanghai's index by the\n"
        "minute, the AAPL tape).\n\n"
        "  manage.py calibrate\n"
        "  manage.py calibrate --days 500 --whole 20 --plot calibration.svg\n"
        "  manage.py calibrate --seed 42 --format json\n\n"
        "Exit codes: 0 every figure in its range, 2 wrong usage, 3 a figure lies outside."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seed", type=int, default=settings.SEED)
        parser.add_argument("--days", type=int, default=244, help="days of which the last minute is lived")
        parser.add_argument("--whole", type=int, default=8, help="days lived from auction to auction")
        parser.add_argument("--instruments", type=int, default=12, help="in the whole days")
        parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="default: one a core")
        parser.add_argument("--data", type=Path, default=settings.BASE_DIR.parent / "shared" / "data")
        parser.add_argument("--plot", type=Path, help="write the picture there (SVG)")
        parser.add_argument("--format", choices=["table", "json"], default="table")

    def handle(self, *, seed: int, format: str, **asked: Any) -> None:
        if asked["days"] < 0 or asked["whole"] < 0 or not 1 <= asked["instruments"] <= 500:
            raise CommandError("Days are 0 or more, instruments 1 to 500.", returncode=2)
        if not 1 <= asked["processes"] <= PROCESSES_MAX:
            raise CommandError(f"Processes are 1 to {PROCESSES_MAX}.", returncode=2)
        found = report.run(
            seed,
            ends=asked["days"],
            lived_s=40,
            whole=asked["whole"],
            count=asked["instruments"],
            data=asked["data"],
            processes=asked["processes"],
            progress=Bar(self.stderr),
        )
        if asked["plot"]:
            asked["plot"].write_text(found.picture(), encoding="utf-8")
        rows = found.rows()
        self.stdout.write(json.dumps({"seed": seed, "figures": rows}) if format == "json" else _table(rows))
        if found.failed:
            sys.exit(EXIT_OUT_OF_RANGE)


class Bar:
    """How far it is and how long it may still take: on a terminal a line that moves, else a line a tenth."""

    def __init__(self, out: Any):
        self.out, self.began, self.told = out, time.monotonic(), 0

    def __call__(self, done: int, of_all: int) -> None:
        if self.out.isatty():
            filled = BAR_WIDTH * done // of_all
            spent = time.monotonic() - self.began
            left = f"{spent * (of_all - done) / done:.0f} s left" if done else "…"
            end = "\n" if done >= of_all else ""
            bar = "█" * filled + "░" * (BAR_WIDTH - filled)
            self.out.write(f"\r{bar} {100 * done // of_all:3} %  {left}    ", ending=end)
        elif 10 * done // of_all > self.told:
            self.told = 10 * done // of_all
            self.out.write(f"{10 * self.told} % of {of_all} minutes lived")


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [f"{'':56} {'seeded':>9} {'target':>9} {'recorded':>9}   range"]
    for row in rows:
        said = [plot.number(row[name], row["unit"]) for name in ("seeded", "target", "real")]
        lines.append(
            f"{row['about']:56} {said[0]:>9} {said[1]:>9} {said[2]:>9}   {row['low']:g} to {row['high']:g}"
            f"  {row['verdict']}"
        )
    return "\n".join(lines)
