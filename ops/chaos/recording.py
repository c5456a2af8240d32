"""A market with short days for drills: daily bars made by chance, played hundreds of times faster.

A market day then takes half a minute and has everything: auctions, T+1, the close at which day
orders end, the roll. Nothing of it is real; the numbers come from the seed.
"""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

CODES = ("sh.600101", "sh.600102", "sz.000103", "sz.000104")
FIRST_DAY = date(2024, 1, 2)
DAYS = 40  # the last twenty are played, again and again
VOLUME = 50_000_000
SATURDAY = 5


def write(path: Path, seed: int) -> None:
    """Bars in the A-share layout of `market.sources.replay.daily`."""
    chance = random.Random(f"market {seed}")
    closes = dict.fromkeys(CODES, 1_000)
    lines = ["date,code,open,high,low,close,preclose,volume,tradestatus,isST"]
    for day in _trading_days():
        for code, before in closes.items():
            opened = before + chance.randint(-10, 10)
            closed = max(500, opened + chance.randint(-20, 20))
            high, low = max(opened, closed) + 10, min(opened, closed) - 10
            prices = ",".join(f"{cents / 100:.2f}" for cents in (opened, high, low, closed, before))
            lines.append(f"{day},{code},{prices},{VOLUME},1,0")
            closes[code] = closed
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _trading_days() -> list[date]:
    days = (FIRST_DAY + timedelta(days=number) for number in range(DAYS * 2))
    return [day for day in days if day.weekday() < SATURDAY][:DAYS]
