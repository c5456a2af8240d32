"""The same figures of recorded markets, where the recordings lie (`<folder>/ashare_baostock` …)."""

from __future__ import annotations

import csv
import gzip
import math
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Final

from market.calibration import figures
from market.calibration.days import MINUTES, Daily, Tape

SHARES = Path("ashare_baostock/all_a_daily_2019_qfq.csv.gz")
INDEX = Path("cn_index_minute/000001.XSHG_1MIN.csv")
MESSAGES = Path("lobster_aapl/AAPL_2012-06-21_0930_1000_message_50.csv")
TOP = Path("lobster_aapl/AAPL_2012-06-21_34200000_57600000_orderbook_10.csv")
EVERY: Final = 12  # of the 3,601 symbols: a year of 300 takes some seconds
SESSIONS: Final = 244


def measured(folder: Path) -> tuple[figures.Figures, list[float]]:
    """Figures by name, and each minute's mean share of the day's volume; what is not there is left out."""
    found: figures.Figures = {}
    shape: list[float] = []
    if (folder / SHARES).is_file():
        found |= _shares(folder / SHARES)
    if (folder / INDEX).is_file():
        minutes, shape = _index(folder / INDEX)
        found |= minutes
    if (folder / MESSAGES).is_file() and (folder / TOP).is_file():
        found |= figures.of_tape(_tape(folder / MESSAGES, folder / TOP))
    return found, shape


def _shares(path: Path) -> figures.Figures:
    rows: dict[str, Daily] = defaultdict(Daily)
    ranges: list[float] = []
    with gzip.open(path, "rt") as file:
        chosen = (line for n, line in enumerate(file) if n == 0 or not int(line[14:20]) % EVERY)
        for row in csv.DictReader(chosen):  # "2019-01-02,sz.000001,…"
            if row["isST"] == "1" or row["tradestatus"] != "1":
                continue
            change = float(row["pctChg"]) / 100
            if abs(change) > 0.12:  # the first days of a new share
                continue
            rows[row["code"]].returns.append(math.log1p(change))
            rows[row["code"]].limits.append((change > 0.0975) - (change < -0.0975))
            ranges.append((float(row["high"]) - float(row["low"])) / float(row["preclose"]))
    whole = [row for row in rows.values() if len(row.returns) == SESSIONS]
    if len(whole) < 10:
        return {}
    return figures.of_days(whole) | {"range": 100 * statistics.median(ranges)}


def _index(path: Path) -> tuple[figures.Figures, list[float]]:
    volumes: dict[str, list[float]] = defaultdict(list)
    closes: dict[str, list[float]] = defaultdict(list)
    with path.open() as file:
        for row in csv.DictReader(file):
            volumes[row["dt"][:10]].append(float(row["vol"]))
            closes[row["dt"][:10]].append(float(row["close"]))
    whole = [day for day in volumes if len(volumes[day]) == MINUTES]
    shares = [[volume / sum(volumes[day]) for volume in volumes[day]] for day in whole]
    shape = [statistics.fmean(column) for column in zip(*shares, strict=True)]
    return figures.of_minutes(shares, [closes[day] for day in whole]), shape


def _tape(messages: Path, top: Path) -> Tape:
    """LOBSTER: 1 new, 2 part cancel, 3 delete, 4 visible, 5 hidden execution; side of the resting order."""
    tape = Tape(sides=[[]])
    with messages.open() as file:
        for row in csv.reader(file):
            kind, size, side = int(row[1]), float(row[3]), float(row[5])
            tape.placed += kind == 1
            tape.cancelled += kind in (2, 3)
            if kind == 4:
                tape.sizes.append(size)
                tape.sides[0].append(-side)
    with top.open() as file:
        for row in csv.reader(file):
            ask, bid = float(row[0]), float(row[2])
            tape.spreads.append(20_000 * (ask - bid) / (ask + bid))
            tape.touches.append((float(row[1]) + float(row[3])) / 2)
    return tape
