"""A made-up recording of CTP ticks: rebar in its last days, flat within each day.

    Mon 2019-10-14   3,500     settles at 3,500
    Tue 2019-10-15   3,540     its last day; settles at 3,540
    Wed 2019-10-16             nothing to be had any more

Ten tonnes a contract, one yuan a tick, 100 contracts at the touch; 0.01 % to open and to close.
"""

from __future__ import annotations

from pathlib import Path

RB = "rb1910"
MONDAY, TUESDAY, WEDNESDAY = "2019-10-14", "2019-10-15", "2019-10-16"
PRICES = {MONDAY: 3_500, TUESDAY: 3_540, WEDNESDAY: 3_540}
TIMES = [f"{hour:02d}:{minute:02d}" for hour in (9, 10, 11, 13, 14) for minute in range(0, 60, 2)]
SESSION = [each for each in TIMES if each < "10:15" or "10:30" <= each < "11:30" or each >= "13:30"]


def record(folder: Path) -> Path:
    rows = ["20191014 08:58:00,3500.0,0,0,0,1.797693e+308,1.797693e+308,1.797693e+308"]
    for day, price in PRICES.items():
        for n, at in enumerate(SESSION, start=1):
            rows.append(f"{day.replace('-', '')} {at}:00,{price},{n * 100},0,0,{price},{price},{price}")
    path = folder / f"{RB}.csv"
    path.write_text("\n".join(rows) + "\n")
    return path
