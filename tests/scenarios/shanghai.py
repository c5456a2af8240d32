"""A made-up recording of A-shares whose every number can be done by hand.

Daily bars that never move, from 2026-10-30 on; the last twenty days, beginning with Monday 2026-11-02,
are played. So few shares change hands that the made depth is one lot a level: at a price of 10.00

    bids   9.99 × 100   9.98 × 200   9.97 × 300   9.96 × 400   9.95 × 500
    asks  10.01 × 100  10.02 × 200  10.03 × 300  10.04 × 400  10.05 × 500

and one trade of 100 at 10.00 in the first minute of the day.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

FIRST = date(2026, 10, 30)  # history: yesterday's close of the first played day
DAYS = 21
MONDAY, TUESDAY = "2026-11-02", "2026-11-03"
COLUMNS = "date,code,open,high,low,close,preclose,volume,amount,tradestatus,isST"
PRICES = {
    "sh.600001": "10.00",
    "sh.600002": "10.00",
    "sh.600003": "100.00",
    "sh.600004": "10.00",
    "sh.600005": "10.00",
    "sh.600006": "10.00",  # 6 and 7: what the market shows there has been taken by nobody before
    "sh.600007": "10.00",
    "sh.688001": "20.00",  # STAR market: at least 200, then by 1, ±20 %
}
ONE, TWO, DEAR, FOUR, FIVE, SIX, SEVEN = (f"60000{n}.SH" for n in range(1, 8))
STAR = "688001.SH"


def record(folder: Path) -> Path:
    """Write the recording."""
    days = [day for n in range(DAYS * 2) if (day := FIRST + timedelta(days=n)).weekday() < 5][:DAYS]
    rows = [
        f"{day},{code},{price},{price},{price},{price},{price},100,1000,1,0"
        for day in days
        for code, price in PRICES.items()
    ]
    path = folder / "flat.csv"
    path.write_text("\n".join([COLUMNS, *rows]) + "\n")
    return path


def at(day: str, local: str) -> str:
    """The instant of a local time in Shanghai (UTC+8, no summer time)."""
    hour, _, minute = local.partition(":")
    return f"{day}T{int(hour) - 8:02d}:{minute}:00.000000Z"
