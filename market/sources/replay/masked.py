"""One recorded day whose date and names nobody may know yet: another day's clock, other symbols. Pure.

The day becomes MASKED_DAY by the clock of its venue: 09:30 stays 09:30, in summer and in winter. Symbols
become S01, S02 … in the order that `names` gives. History keeps its last HISTORY_DAYS days, put on the
weekdays before MASKED_DAY one after another, so that no holiday betrays the year; only daily bars, and
what could not be read is told without its text. Prices and volumes are the recorded ones: who has the
prices of that market at hand can look the day up. World.options["hidden"] has what is hidden:

    {"token": of the slug, "day": "2015-06-12", "names": {true symbol: "S01", …}, "revealed_at": "" or when}
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from market.feed.bars import DAY, day_start
from market.rulebook import PhaseNow, as_number, local_ns
from market.sources.base import PastBar
from market.sources.items import Gap, Item, Malformed, RawPrint, RawQuote, Reached, Settled, Skipped
from market.sources.replay.facts import Recording, RecordingFacts
from market.ticks import Print, Quote

MASKED_DAY = date(2000, 1, 10)  # a Monday on which every venue traded; nobody takes it for the true one
HISTORY_DAYS = 250
NAME = "Hidden day"
KEPT_OPTIONS = ("hours", "from", "days")


class MaskedRecording:
    def __init__(self, recording: Recording, hidden: dict[str, Any]):
        self._recording = recording
        self._names: dict[str, str] = hidden["names"]
        zone, true_day = ZoneInfo(recording.facts.timezone), date.fromisoformat(hidden["day"])
        self._shift_ns = local_ns(MASKED_DAY, time(), zone) - local_ns(true_day, time(), zone)
        self._days = {as_number(true_day + timedelta(days=n)): n for n in (-1, 0, 1)}
        self.facts = self._masked(recording.facts, hidden["token"])

    def phase(self, at_ns: int) -> PhaseNow | None:
        now = self._recording.phase(at_ns - self._shift_ns)
        if now is None:
            return None
        day = MASKED_DAY + timedelta(days=self._days.get(now.market_day, 0))
        change_ns = now.next_change_ns + self._shift_ns if now.next_change_ns else 0
        return msgspec.structs.replace(now, market_day=as_number(day), next_change_ns=change_ns)

    def previous_closes(self) -> dict[str, int]:
        closes = self._recording.previous_closes()
        return {masked: closes[name] for name, masked in self._names.items() if name in closes}

    def history(self) -> Iterator[PastBar]:
        bars = [bar for bar in self._recording.history() if bar.interval == DAY and bar.symbol in self._names]
        starts = sorted({bar.start for bar in bars})[-HISTORY_DAYS:]
        masked = dict(zip(reversed(starts), _weekdays_before(MASKED_DAY), strict=False))
        for bar in bars:
            if bar.start in masked:
                symbol = self._names[bar.symbol]
                yield msgspec.structs.replace(bar, symbol=symbol, start=masked[bar.start])

    def play(self) -> Iterator[tuple[int, Item]]:
        for at_ns, item in self._recording.play():
            if isinstance(item, Malformed):
                yield at_ns + self._shift_ns, Malformed(item.source, item.reason, NAME)
            if isinstance(item, Malformed | Reached | Settled | Skipped):
                continue  # they name the day
            symbol = self._names.get(item.symbol, "")
            if symbol or not item.symbol:
                yield at_ns + self._shift_ns, self._moved(item, symbol)

    def _moved(self, item: Quote | Print | RawQuote | RawPrint | Gap, symbol: str) -> Item:
        at_ns = item.at_ns + self._shift_ns
        if isinstance(item, Gap):
            return msgspec.structs.replace(item, symbol=symbol, at_ns=at_ns)
        return msgspec.structs.replace(item, symbol=symbol, at_ns=at_ns, received_ns=at_ns)

    def _masked(self, facts: RecordingFacts, token: str) -> RecordingFacts:
        rows = [self._row(row) for row in facts.instruments if row["symbol"] in self._names]
        return msgspec.structs.replace(
            facts,
            slug=f"replay-hidden-{token}",
            name=NAME,
            start_ns=facts.start_ns + self._shift_ns,
            end_ns=facts.end_ns + self._shift_ns,
            instruments=sorted(rows, key=lambda row: str(row["symbol"])),
            options={name: facts.options[name] for name in KEPT_OPTIONS if name in facts.options},
            made=[*facts.made, "hidden"],
            notes=["Dates and names are hidden until the day is over."],  # the others may name what is hidden
        )

    def _row(self, row: dict[str, Any]) -> dict[str, Any]:
        """An instrument that says nothing of itself but how it is traded."""
        masked = self._names[row["symbol"]]
        plain = {"symbol": masked, "name": masked, "name_zh": "", "sector": "", "listed_on": None}
        return {**row, **plain, "expires_on": None}


def _weekdays_before(day: date) -> Iterator[int]:
    """Starts of daily bars, the nearest first, without end."""
    while True:
        day -= timedelta(days=1)
        if day.weekday() < 5:
            yield day_start(as_number(day))
