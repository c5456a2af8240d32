"""A made-up recording of a coin that never moves, in minutes: 60,000.00 on two days, and a millionth of it
is the smallest quantity. 1,000 are shown at the touch, a cent either side.
"""

from __future__ import annotations

from pathlib import Path

SYMBOL = "CALM-USD"
DAYS = ("2026-11-02", "2026-11-03")  # the first is history


def record(folder: Path) -> Path:
    """The first line shows how fine prices and quantities are; the rest has no decimals to show."""
    rows = [f"{DAYS[0]}T23:58:00,60000.01,60000.01,60000.00,60000.00,0.000001"]
    rows += [f"{DAYS[0]}T23:59:00,60000,60000,60000,60000,4000"]
    rows += [
        f"{DAYS[1]}T{hour:02d}:{minute:02d}:00,60000,60000,60000,60000,4000"
        for hour in range(24)
        for minute in range(60)
    ]
    path = folder / f"{SYMBOL.lower()}.csv"
    path.write_text("\n".join(["timestamp,open,high,low,close,volume", *rows]) + "\n")
    return path
