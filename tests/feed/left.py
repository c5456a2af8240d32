"""What a feed left behind: its log, and the bars in the tables."""

from __future__ import annotations

from pathlib import Path

from market.feed import recovery, wal
from market.feed.bars import STORED
from market.models import Bar, Instrument


def stored_bars() -> dict[tuple[str, str, int], tuple]:
    names = dict(Instrument.objects.values_list("pk", "symbol"))
    return {
        (names[bar.instrument_id], bar.interval, int(bar.start.timestamp())): (
            *(bar.open, bar.high, bar.low, bar.close, bar.volume, int(bar.turnover), bar.prints, bar.partial),
        )
        for bar in Bar.objects.all()
    }


def recomputed_bars(folder: Path) -> dict[tuple[str, str, int], tuple]:
    return {
        key: (*(bar.open, bar.high, bar.low, bar.close, bar.volume, bar.turnover, bar.prints, bar.partial),)
        for key, bar in recovery.recompute(folder).bars.dirty.items()
        if key[1] in STORED
    }


def ticks_in(folder: Path) -> list:
    return [tick for written in wal.replay(folder) if isinstance(written, list) for tick in written]
