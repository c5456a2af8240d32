"""Daily bars of many shares: the earlier days are history, the last ones are played.

Two column layouts: `date,open,high,low,close,volume,Name` (US) and baostock's
`date,code,open,high,low,close,preclose,volume,…,tradestatus,…` (A-shares, forward-adjusted).

A bar says nothing of the way inside it, so the way is made (`way`), and marked: one print a minute and
share; a share that traded fewer units than there are minutes has as many prints as units. Depth is made
too (`made`). Prices are rounded half up to the tick.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from market import errors, rulebook
from market.feed.bars import DAY, day_start
from market.rulebook import Phase, PhaseNow, Where, as_number
from market.sources.base import PastBar
from market.sources.items import Item, Malformed
from market.sources.replay import made, text, way
from market.sources.replay.facts import RecordingFacts
from market.sources.replay.hours import RecordedHours, local_ns, played_days
from market.ticks import Print, Quote
from simgame.kernel.clock import NS_PER_S

SOURCE = "daily"
EXPONENT = 2
TICK = Decimal(1).scaleb(-EXPONENT)
DAYS_PLAYED = 20  # the rest is history
CLOSE_WITHIN = 30  # recorded days before the first played one in which a previous close is looked for
ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
STEP_S = 60


class Layout(NamedTuple):
    name: str
    columns: tuple[str, ...]  # the first of the header
    code: str
    currency: str
    timezone: str
    rulebook: str
    lot: int
    trading: tuple[tuple[str, int], ...]  # (start, seconds) of the times in which prints lie


US = Layout(
    "us_daily",
    ("date", "open", "high", "low", "close", "volume", "Name"),
    "Name",
    "USD",
    "America/New_York",
    "us",
    1,
    (("09:30", 23_400),),
)
ASHARE = Layout(
    "ashare_daily",
    ("date", "code", "open", "high", "low", "close", "preclose", "volume"),
    "code",
    "CNY",
    "Asia/Shanghai",
    "cn_a",
    100,
    (("09:30", 7_200), ("13:00", 7_020)),
)
BOARDS = (
    ("sh.688", "SSE", "star"),
    ("sh.", "SSE", "main"),
    ("sz.300", "SZSE", "chinext"),
    ("sz.301", "SZSE", "chinext"),
    ("sz.", "SZSE", "main"),
    ("bj.", "BSE", "bse"),
    ("", "US", "main"),
)


class DayBar(NamedTuple):
    symbol: str
    day: date
    corners: way.Corners
    volume: int
    special: bool  # under special treatment (ST)


class DailyReader:
    name = "daily"

    def recognises(self, path: Path) -> bool:
        return path.is_file() and path.name.endswith((".csv", ".csv.gz")) and _layout(path) is not None

    def open(self, path: Path, options: dict[str, Any]) -> DailyRecording:
        layout = _layout(path)
        assert layout is not None
        return DailyRecording(path, layout, options)


class DailyRecording:
    def __init__(self, path: Path, layout: Layout, options: dict[str, Any]):
        self.path, self.layout = path, layout
        self._zone = ZoneInfo(layout.timezone)
        self._codes: dict[str, str] = {}
        self._unread: list[Malformed] = []
        days = self._recorded_days()
        if not days:
            raise errors.RecordingUnknown(f"{path} holds no readable daily bar.")
        self.all_days = days
        self.days = played_days(days, options, DAYS_PLAYED)
        begin = days.index(self.days[0])
        self._played: dict[str, list[DayBar]] = {}
        self._closes: dict[str, int] = {}
        self._special: set[str] = set()
        for bar in self._bars(days[max(0, begin - CLOSE_WITHIN)]):
            if isinstance(bar, Malformed):
                self._unread.append(bar)
            elif bar.day > self.days[-1]:
                continue
            elif bar.day >= self.days[0]:
                self._played.setdefault(bar.symbol, []).append(bar)
                (self._special.add if bar.special else self._special.discard)(bar.symbol)
            else:
                self._closes[bar.symbol] = bar.corners.close
        book = rulebook.load(layout.rulebook)
        self._kept = book.hours("venue", instruments={self._where(symbol) for symbol in self._played})
        self._hours = RecordedHours(self.days, self._kept.day_of, layout.timezone, book.calendar)
        self.facts = self._facts()

    def phase(self, at_ns: int) -> PhaseNow | None:
        return self._hours.at(at_ns)

    def previous_closes(self) -> dict[str, int]:
        return self._closes

    def history(self) -> Iterator[PastBar]:
        for bar in self._bars():
            if isinstance(bar, DayBar) and bar.day < self.days[0] and bar.symbol in self._played:
                start, turnover = day_start(as_number(bar.day)), bar.volume * sum(bar.corners) // 4
                yield PastBar(bar.symbol, DAY, start, *bar.corners, bar.volume, turnover, 1)

    def play(self) -> Iterator[tuple[int, Item]]:
        ways = (self._way(bars, number) for number, bars in enumerate(self._played.values()))
        yield from heapq.merge(*ways, key=lambda entry: entry[0])
        for unread in self._unread:
            yield self.facts.end_ns, unread

    def _way(self, bars: list[DayBar], number: int) -> Iterator[tuple[int, Item]]:
        """The prints and quotes of one share; shares follow each other within the minute."""
        last, side = self._closes.get(bars[0].symbol, 0), ""
        for bar in bars:
            moments = list(self._moments(bar.day, number % STEP_S))
            if self._kept.calendar.is_half(bar.day):
                moments = [each for each in moments if self._hours.at(each).phase == Phase.CONTINUOUS]
            if not bar.volume:
                continue  # suspended
            steps = min(bar.volume, len(moments))
            lots = max(1, bar.volume // steps // self.layout.lot) * self.layout.lot
            for step in range(steps):
                at_ns = moments[step * len(moments) // steps]
                price = way.price_at(bar.corners, step, steps - 1)
                size = way.size_at(bar.volume, step, steps)
                side = made.taker(price, last, side)
                last = price
                yield at_ns, Print(bar.symbol, price, size, side, at_ns, at_ns, SOURCE, made=True)  # type: ignore[arg-type]
                yield (
                    at_ns,
                    Quote(bar.symbol, *made.depth(price, side, 1, lots), at_ns, at_ns, SOURCE, made=True),
                )

    def _moments(self, day: date, offset_s: int) -> Iterator[int]:
        for start, seconds in self.layout.trading:
            begin = local_ns(day, time.fromisoformat(start), self._zone)
            yield from range(begin + offset_s * NS_PER_S, begin + seconds * NS_PER_S, STEP_S * NS_PER_S)

    def _recorded_days(self) -> list[date]:
        """Quickly, by the first column alone."""
        found: set[str] = set()
        with suppress(text.Torn):  # what is torn off becomes a Malformed item when `_bars` reads it again
            for line in text.lines(self.path):
                found.add(line[:10])
        return sorted(date.fromisoformat(day) for day in found if ISO_DATE.fullmatch(day))

    def _bars(self, since: date = date.min) -> Iterator[DayBar | Malformed]:
        header: list[str] = []
        first = since.isoformat()
        try:
            for number, line in text.numbered(self.path):
                if not header:
                    header = line.lstrip("﻿").split(",")
                    continue
                if line[:10] < first:
                    continue
                try:
                    yield self._bar(dict(zip(header, line.split(","), strict=True)))
                except (ValueError, KeyError, InvalidOperation):
                    yield Malformed(SOURCE, "unreadable_message", f"{self.path.name}:{number}: {line[:200]}")
        except text.Torn as torn:
            yield Malformed(SOURCE, text.TORN, str(torn))

    def _bar(self, row: dict[str, str]) -> DayBar:
        code = row[self.layout.code]
        symbol = _symbol(code)
        self._codes[symbol] = code
        volume = int(float(row["volume"])) if row["volume"] and row.get("tradestatus", "1") == "1" else 0
        corners = way.Corners(*(way.ticks_of(row[name], TICK) for name in way.Corners._fields))
        if not code or volume < 0:
            raise ValueError("not a bar")
        return DayBar(symbol, date.fromisoformat(row["date"]), corners, volume, row.get("isST") == "1")

    def _facts(self) -> RecordingFacts:
        first, last = self.days[0], self.days[-1]
        layout = self.layout
        start, seconds = layout.trading[-1]
        begins = time.fromisoformat(self._kept.day_of(first).spans[0][0])
        return RecordingFacts(
            format="daily",
            slug=f"replay-{layout.name.replace('_', '-')}-{first:%Y%m%d}",
            name=f"{'US shares' if layout is US else 'A-shares'}, daily bars from {first}",
            recording=str(self.path),
            currency=layout.currency,
            timezone=layout.timezone,
            rulebook=layout.rulebook,
            start_ns=local_ns(first, begins, self._zone) - 5 * NS_PER_S,
            end_ns=local_ns(last, time.fromisoformat(start), self._zone) + seconds * NS_PER_S,
            instruments=[self._instrument(symbol) for symbol in sorted(self._played)],
            options={"hours": "venue", "from": first.isoformat(), "days": len(self.days)},
            made=["way", "depth"],
            notes=["The way inside a bar and the depth are made by stated rules, and marked."],
        )

    def _where(self, symbol: str) -> Where:
        code = self._codes[symbol]
        return next(where for prefix, where in PLACES if code.startswith(prefix))

    def _instrument(self, symbol: str) -> dict[str, Any]:
        where = self._where(symbol)
        return {
            "symbol": symbol,
            "name": symbol,
            "kind": "stock",
            "venue": where.venue,
            "board": where.board,
            "currency": self.layout.currency,
            "price_exponent": EXPONENT,
            "qty_exponent": 0,
            "tick": 1,
            "lot": self.layout.lot,
            "previous_close": self._closes.get(symbol, 0),
            "special_treatment": symbol in self._special,
        }


PLACES = [(prefix, Where(venue, board)) for prefix, venue, board in BOARDS]


def _symbol(code: str) -> str:
    """ "sz.000001" → "000001.SZ"; others stay."""
    market, dot, number = code.partition(".")
    return f"{number}.{market.upper()}" if dot and market in ("sh", "sz", "bj") else code


def _layout(path: Path) -> Layout | None:
    try:
        header = next((line for _, line in text.numbered(path)), "").lstrip("﻿").split(",")
    except text.Torn:
        return None
    return next((one for one in (US, ASHARE) if tuple(header[: len(one.columns)]) == one.columns), None)
