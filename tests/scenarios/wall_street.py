"""A made-up recording of US shares, by hand: flat within each day, with a fall from day to day.

              Mon 2    Tue 3    Wed 4    Thu 5
    FALL    100.00    66.00    57.00    57.00
    ABLE    100.00   100.00   100.00   100.00      FLAT the same
    BMW      50.00    50.00    50.00    50.00      in EUR
    EUR/USD   1.10     1.10     1.20     1.20

Depth is 30,000 shares at the touch, which stands a cent either side of the last price, or at it on the side
that was taken (after a fall the bid).
"""

from __future__ import annotations

from pathlib import Path

from tests.scenarios.town import Town

MONDAY, TUESDAY, WEDNESDAY, THURSDAY = "2026-11-02", "2026-11-03", "2026-11-04", "2026-11-05"
DAYS = ("2026-10-30", MONDAY, TUESDAY, WEDNESDAY, THURSDAY)
CLOSES = {
    "FALL": ("100.00", "100.00", "66.00", "57.00", "57.00"),
    "ABLE": ("100.00",) * 5,
    "FLAT": ("100.00",) * 5,
    "BMW": ("50.00",) * 5,
    "EUR/USD": ("1.10", "1.10", "1.10", "1.20", "1.20"),
}
VOLUME = 390 * 30_000  # a trade a minute, and as much shown
# What an operator sets in the admin: a share in another currency, and the pair of both.
SET = (
    "UPDATE market_instrument SET currency = 'EUR' WHERE symbol = 'BMW'",
    "UPDATE market_instrument SET kind = 'fx' WHERE symbol = 'EUR/USD'",
)


def record(folder: Path) -> Path:
    rows = [
        f"{day},{price},{price},{price},{price},{VOLUME},{symbol}"
        for n, day in enumerate(DAYS)
        for symbol, prices in CLOSES.items()
        for price in (prices[n],)
    ]
    path = folder / "street.csv"
    path.write_text("\n".join(["date,open,high,low,close,volume,Name", *rows]) + "\n")
    return path


def found(town: Town, folder: Path) -> str:
    """A world with a Season on margin: leverage 2, shorts, 7.2 % a year, 30 minutes for a margin call."""
    terms = ["--portfolios", "margin", "--leverage", "2", "--shorts", "--interest", "7.2"]
    slug = town.seed(f"replay:{record(folder)}@{MONDAY}", *terms)
    town.sql(*SET)
    return slug


def at(day: str, local: str) -> str:
    """The instant of a local time in New York (UTC-5 in November)."""
    hour, _, minute = local.partition(":")
    return f"{day}T{int(hour) + 5:02d}:{minute}:00.000000Z"
