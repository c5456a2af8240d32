"""A recording whose days may be drawn by lot, and what would betray the drawn one."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from simgame.kernel.clock import NS_PER_S, parse_rfc3339

NAMES = ("KIMBERLY", "ROEBUCK")
FIRST = date(2014, 1, 6)
YEARS = ("2013", "2014")
NEAR_S = 400 * 86_400


def record(folder: Path) -> Path:
    """Eighty weekdays of two shares, across a change of the clocks."""
    days = [day for n in range(160) if (day := FIRST + timedelta(days=n)).weekday() < 5 and n % 9][:80]
    rows = ["date,open,high,low,close,volume,Name"]
    for n, day in enumerate(days):
        rows += [f"{day},{10 + n}.00,{11 + n}.00,{9 + n}.50,{10 + n}.50,3900,{name}" for name in NAMES]
    path = folder / "shares.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def betrayed(text: str, hidden: dict[str, Any]) -> list[str]:
    """What of the secret a text tells: names, the day in any writing, any moment within a year of it."""
    day = date.fromisoformat(hidden["day"])
    writings = [
        *NAMES,
        f"{day}",
        f"{day:%Y%m%d}",
        f"{day:%Y/%m/%d}",
        f"{day:%b %d}",
        *(f"{y}-" for y in YEARS),
    ]
    found = [one for one in writings if one in text]
    noon_s = parse_rfc3339(f"{day}T12:00:00Z") // NS_PER_S
    for digits in re.findall(r"(?<![\d.-])(?:\d{10}|\d{13}|\d{16}|\d{19})(?![\d.-])", text):
        if abs(int(digits[:10]) - noon_s) < NEAR_S:
            found.append(digits)
    return found
