"""Bars of one instrument, of minutes or of days: earlier days are history, the chosen ones are played.

Which files: `market.sources.replay.sheets`. The way inside a bar is made (`way`): a step is 15 s of a
minute bar, a minute of a daily one, so the bars that are built from the prints are the recorded bars
again. A bar with less volume than steps has as many prints as units traded. Depth is made (`made`), as
many units at the touch as the step traded, at least one lot; an index has none, nobody trades it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time
from decimal import InvalidOperation
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from market import errors, rulebook
from market.feed.bars import DAY, SECONDS, day_start
from market.rulebook import Phase, PhaseNow, Where, as_number
from market.sources.base import PastBar
from market.sources.items import Item, Malformed
from market.sources.replay import made, text, way
from market.sources.replay.facts import RecordingFacts
from market.sources.replay.hours import RecordedHours, local_ns, played_days
from market.sources.replay.sheets import BOM, Bar, sheet_of
from market.ticks import Print, Quote
from simgame.kernel.clock import NS_PER_S

SOURCE = "bars"
DAYS_PLAYED = 5  # of minute bars; the rest is history
DAILY_PLAYED = 20
DAYS_IN_BARS = 5  # of history that charts see in minutes; before them in days
STEP_S, DAILY_STEP_S = 15, 60
LEAD_NS = 5 * NS_PER_S  # the venue's phase is told before the first tick


class BarReader:
    name = "bars"

    def recognises(self, path: Path) -> bool:
        return sheet_of(path) is not None

    def open(self, path: Path, options: dict[str, Any]) -> BarRecording:
        return BarRecording(path, options)


class BarRecording:
    def __init__(self, path: Path, options: dict[str, Any]):
        sheet = sheet_of(path)
        assert sheet is not None
        self.path, self.sheet = path, sheet
        self.symbol: str = sheet.instrument["symbol"]
        self._tick: int = sheet.instrument["tick"]
        self._zone = ZoneInfo(sheet.timezone)
        self._unread: list[Malformed] = []
        bars = sorted(self._rows(), key=lambda bar: (bar.day, bar.start_ns))
        if not bars:
            raise errors.RecordingUnknown(f"{path} holds no readable bar.")
        self.all_days = sorted({bar.day for bar in bars})
        self.days = played_days(self.all_days, options, DAYS_PLAYED if sheet.seconds else DAILY_PLAYED)
        self._played = [bar for bar in bars if self.days[0] <= bar.day <= self.days[-1]]
        self._past = [bar for bar in bars if bar.day < self.days[0]]
        self._hours: RecordedHours | None = None
        self._book = rulebook.load(sheet.rulebook)
        if sheet.hours == "venue":
            self._hours = RecordedHours(self.days, self._day_of, sheet.timezone, self._book.calendar)
        self.facts = self._facts()

    def phase(self, at_ns: int) -> PhaseNow | None:
        return self._hours.at(at_ns) if self._hours else None

    def previous_closes(self) -> dict[str, int]:
        return {self.symbol: self._past[-1].corners.close * self._tick} if self._past else {}

    def history(self) -> Iterator[PastBar]:
        """Every earlier day as a bar of a day, the last of them in the recorded bars too."""
        days = {day: list(bars) for day, bars in groupby(self._past, key=lambda bar: bar.day)}
        recent = set(list(days)[-DAYS_IN_BARS:])
        interval = next((name for name, length in SECONDS.items() if length == self.sheet.seconds), "")
        for day, bars in days.items():
            whole = way.Corners(
                bars[0].corners.open,
                max(bar.corners.high for bar in bars),
                min(bar.corners.low for bar in bars),
                bars[-1].corners.close,
            )
            volume = sum(bar.volume for bar in bars)
            yield self._past_bar(DAY, day_start(as_number(day)), whole, volume)
            for bar in bars if interval and day in recent else ():
                yield self._past_bar(interval, bar.start_ns // NS_PER_S, bar.corners, bar.volume)

    def play(self) -> Iterator[tuple[int, Item]]:
        last, side = self.previous_closes().get(self.symbol, 0), ""
        shows_depth = self.sheet.instrument["kind"] != "index"
        for bar in self._played:
            moments = self._moments(bar)
            steps = min(len(moments), bar.volume)
            for step in range(steps):
                at_ns = moments[step * len(moments) // steps]
                price = way.price_at(bar.corners, step, steps - 1) * self._tick
                size = way.size_at(bar.volume, step, steps)
                side = made.taker(price, last, side)
                last = price
                yield at_ns, Print(self.symbol, price, size, side, at_ns, at_ns, SOURCE, made=True)  # type: ignore[arg-type]
                if shows_depth:
                    depth = made.depth(price, side, self._tick, size)
                    yield at_ns, Quote(self.symbol, *depth, at_ns, at_ns, SOURCE, made=True)
        for unread in self._unread:
            yield self.facts.end_ns, unread

    # --- reading -------------------------------------------------------------------------------------

    def _rows(self) -> Iterator[Bar]:
        """What cannot be read is kept aside; the last line of a torn file is called torn."""
        number, line, failed = 0, "", 0
        try:
            for number, line in text.numbered(self.path):
                if number == 1 and self.sheet.headed:
                    continue
                try:
                    yield self.sheet.row(line.lstrip(BOM))
                except (ValueError, IndexError, InvalidOperation):
                    failed = number
                    where = f"{self.path.name}:{number}: {line[:200]}"
                    self._unread.append(Malformed(SOURCE, "unreadable_message", where))
        except text.Torn as torn:
            self._unread.append(Malformed(SOURCE, text.TORN, str(torn)))
        if failed == number and self._unread:
            self._unread[-1] = msgspec.structs.replace(self._unread[-1], reason=text.TORN)

    def _moments(self, bar: Bar) -> list[int]:
        if bar.start_ns:
            end_ns = bar.start_ns + self.sheet.seconds * NS_PER_S
            return list(range(bar.start_ns, end_ns, STEP_S * NS_PER_S))
        return [
            at for begin, end in self._trading(bar.day) for at in range(begin, end, DAILY_STEP_S * NS_PER_S)
        ]

    def _trading(self, day: date) -> Iterator[tuple[int, int]]:
        """(begin, end) of continuous trading by day: where a daily bar's prints lie."""
        for (start, phase), (end, _) in pairwise(self._day_of(day).spans):
            if phase == Phase.CONTINUOUS:
                yield tuple(local_ns(day, time.fromisoformat(at), self._zone) for at in (start, end))  # type: ignore[misc]

    def _day_of(self, day: date) -> rulebook.Day:
        """No night: the files have none."""
        facts = self.sheet.instrument
        where = Where(facts["venue"], facts["board"], facts["kind"], facts.get("product", ""))
        return msgspec.structs.replace(self._book.day_of(where, day), night=())

    def _past_bar(self, interval: str, start: int, corners: way.Corners, volume: int) -> PastBar:
        opened, high, low, close = prices = [corner * self._tick for corner in corners]
        return PastBar(
            self.symbol, interval, start, opened, high, low, close, volume, volume * sum(prices) // 4, 1
        )

    def _facts(self) -> RecordingFacts:
        sheet, first = self.sheet, self.days[0]
        begin, end = self._moments(self._played[0])[0], self._moments(self._played[-1])[-1]
        if self._hours:
            begins = time.fromisoformat(self._day_of(first).whole(with_night=False)[0][0])
            begin = min(begin, local_ns(first, begins, self._zone))
        kept = f"{sheet.seconds // 60}-minute" if sheet.seconds else "daily"
        return RecordingFacts(
            format=sheet.format,
            slug=f"replay-{self._slug()}-{first:%Y%m%d}",
            name=f"{sheet.instrument['name']}, {kept} bars from {first}"[:80],
            recording=str(self.path),
            currency=sheet.instrument["currency"],
            timezone=sheet.timezone,
            rulebook=sheet.rulebook,
            start_ns=begin - LEAD_NS,
            end_ns=end + (STEP_S if sheet.seconds else DAILY_STEP_S) * NS_PER_S,
            instruments=[{**sheet.instrument, "previous_close": self.previous_closes().get(self.symbol, 0)}],
            options={"hours": sheet.hours, "from": first.isoformat(), "days": len(self.days)},
            made=["way"] if sheet.instrument["kind"] == "index" else ["way", "depth"],
            notes=[f"The way inside the {kept} bars is made by a stated rule, and marked; so is the depth."],
        )

    def _slug(self) -> str:
        kept = f"{self.sheet.seconds // 60}m" if self.sheet.seconds else "d"
        return f"{self.symbol.lower().replace('.', '-')}-{kept}"
