"""How the free Chinese quote services write codes, instants and levels."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from simgame.kernel.clock import NS_PER_S

CHINA = ZoneInfo("Asia/Shanghai")


def exchange_first(symbol: str) -> str:
    """`600000.SH` → `sh600000`."""
    code, _, exchange = symbol.partition(".")
    return f"{exchange.lower()}{code}"


def instant_ns(day: str, moment: str) -> int:
    """`2026-11-20`, `09:30:03` (or without separators), Chinese time. Raises ValueError."""
    digits = (day + moment).replace("-", "").replace(":", "")
    return int(datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=CHINA).timestamp()) * NS_PER_S


def sized(levels: Iterable[tuple[str, str]], times: int = 1) -> tuple[tuple[str, str], ...]:
    """The levels that somebody stands at: a venue writes 0 for an empty one."""
    found = []
    for price, size in levels:
        try:
            quantity = Decimal(size or 0) * times
            empty = quantity == 0 or Decimal(price or 0) == 0
        except InvalidOperation as error:
            raise ValueError(f"{price!r} x {size!r} is no level") from error
        if not empty:
            found.append((price, f"{quantity:f}"))
    return tuple(found)
