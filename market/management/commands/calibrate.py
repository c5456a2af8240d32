"""Measures the seeded market beside real ones."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from market.calibration import plot, report

EXIT_OUT_OF_RANGE = 3


class Command(BaseCommand):
    help = (
        "Lives days of the seeded market, measures them, and prints each figure beside its target and the\n"
        "same figure of recorded markets, where --data has them (A-shares 2019, Shanghai's index by the\n"
        "minute, the AAPL tape).\n\n"
        "  manage.py calibrate\n"
        "  manage.py calibrate --days 244 --whole 5 --plot calibration.svg\n"
        "  manage.py calibrate --seed 42 --format json\n\n"
        "Exit codes: 0 every figure in its range, 2 wrong usage, 3 a figure lies outside."
    )
    requires_system_checks: list[str] = []

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seed", type=int, default=settings.SEED)
        parser.add_argument("--days", type=int, default=244, help="days of which the last minute is lived")
        parser.add_argument("--whole", type=int, default=2, help="days lived from auction to auction")
        parser.add_argument("--instruments", type=int, default=20, help="in the whole days")
        parser.add_argument("--data", type=Path, default=settings.BASE_DIR.parent / "shared" / "data")
        parser.add_argument("--plot", type=Path, help="write the picture there (SVG)")
        parser.add_argument("--format", choices=["table", "json"], default="table")

    def handle(self, *, seed: int, format: str, **asked: Any) -> None:
        if asked["days"] < 0 or asked["whole"] < 0 or not 1 <= asked["instruments"] <= 500:
            raise CommandError("Days are 0 or more, instruments 1 to 500.", returncode=2)
        found = report.run(
            seed,
            ends=asked["days"],
            lived_s=40,
            whole=asked["whole"],
            count=asked["instruments"],
            data=asked["data"],
            progress=self._progress,
        )
        if asked["plot"]:
            asked["plot"].write_text(found.picture(), encoding="utf-8")
        rows = found.rows()
        self.stdout.write(json.dumps({"seed": seed, "figures": rows}) if format == "json" else _table(rows))
        if found.failed:
            sys.exit(EXIT_OUT_OF_RANGE)

    def _progress(self, what: str, done: int, of_all: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{what}: {done} of {of_all}   ", ending="")


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [f"{'':56} {'seeded':>9} {'target':>9} {'recorded':>9}   range"]
    for row in rows:
        said = [plot.number(row[name], row["unit"]) for name in ("seeded", "target", "real")]
        lines.append(
            f"{row['about']:56} {said[0]:>9} {said[1]:>9} {said[2]:>9}   {row['low']:g} to {row['high']:g}"
            f"  {row['verdict']}"
        )
    return "\n".join(lines)
