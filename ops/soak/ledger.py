"""Counts a write-ahead log against what the venue sent: lost, doubled, told as missing; and its bars."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from market.feed import wal
from market.feed.bars import STORED, Bar, BarBuilder, Key
from market.sources.items import Gap
from market.ticks import Print, Quote, Tick

Stream = tuple[str, bool]  # symbol, whether trades
Span = tuple[int, int]  # first and last number that is missing
KEPT = 200  # spans and findings shown


class Ledger:
    """Give it everything written, in order. Numbers are the venue's own; `seq` is the feed's."""

    def __init__(self) -> None:
        self.heads: dict[Stream, int] = {}
        self.firsts: dict[Stream, int] = {}
        self.kept: Counter[str] = Counter()
        self.missing: dict[Stream, list[Span]] = {}
        self.doubled: list[tuple[str, bool, int]] = []
        self.gaps: list[tuple[int, Gap]] = []  # after which seq
        self.seq = 0
        self.seq_breaks: list[Span] = []
        self.builder = BarBuilder()
        self.bars: dict[Key, Bar] = {}
        self.switched: list[tuple[str, int, int]] = []  # source, connection, wall time of its first tick
        self.quote_epochs: dict[str, int] = {}  # symbol → connection of its last quote
        self.believed: dict[str, tuple[int, int]] = {}  # symbol → lowest and highest price that can be true
        self.strange: list[Tick] = []  # ticks outside
        self._of_quotes: dict[str, tuple[str, int]] = {}
        self._seq_of_switch: list[int] = []

    @property
    def speaker(self) -> tuple[str, int]:
        """Source and connection of the last tick."""
        return self.switched[-1][:2] if self.switched else ("", 0)

    def take(self, written: wal.Written) -> None:
        if isinstance(written, wal.GapRecord):
            self.gaps.append((self.seq, written.gap))
            self.builder.gap(written.gap)
        elif isinstance(written, wal.Begin):
            self.builder.series.update(written.series)
        else:
            for tick in written:
                self._take(tick)
        for key, bar in self.builder.take_dirty().items():
            if key[1] in STORED:
                self.bars[key] = bar

    def _take(self, tick: Tick) -> None:
        if self.seq and tick.seq != self.seq + 1:
            self.seq_breaks.append((self.seq, tick.seq))
        self.seq = tick.seq
        self.builder.apply(tick)
        if not isinstance(tick, Quote | Print):
            return
        if self.believed:
            self._believe(tick)
        speaker, stream = (tick.source, tick.source_epoch), (tick.symbol, isinstance(tick, Print))
        if isinstance(tick, Quote):
            same = self._of_quotes.get(tick.symbol) == speaker
            if same and self.heads[stream] == tick.source_seq:
                self.kept["repeated"] += 1  # the feed says an unchanged quote again
                return
            self._of_quotes[tick.symbol] = speaker
            self.quote_epochs[tick.symbol] = tick.source_epoch
            # A new connection begins with a whole book: what led to it is no loss.
            self._count(stream, tick.source_seq, self.heads.get(stream) if same else None)
        else:
            self._count(stream, tick.source_seq, self.heads.get(stream))
        if speaker != self.speaker:
            self.switched.append((*speaker, tick.received_ns))
            self._seq_of_switch.append(tick.seq)

    def _believe(self, tick: Quote | Print) -> None:
        low, high = self.believed[tick.symbol]
        prices = [tick.price] if isinstance(tick, Print) else [price for price, _ in tick.bids + tick.asks]
        if any(not low <= price <= high for price in prices):
            self.strange.append(tick)

    def _count(self, stream: Stream, number: int, last: int | None) -> None:
        if last is None:
            self.firsts.setdefault(stream, number)
        elif number <= last:
            self.doubled.append((*stream, number))
            return
        elif number > last + 1:
            self.missing.setdefault(stream, []).append((last + 1, number - 1))
        self.heads[stream] = number
        self.kept["trades" if stream[1] else "quotes"] += 1

    # --- judging ---------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        return self.kept["trades"] + self.kept["quotes"]

    def absent(self, heads: dict[str, list[int]], *, trades_only: bool = False) -> dict[Stream, list[Span]]:
        """What the venue sent after our first of each stream and up to `heads`, and is not here."""
        found = {stream: list(spans) for stream, spans in self.missing.items()}
        for symbol, (quote, trade) in heads.items():
            for stream, sent in (((symbol, False), quote), ((symbol, True), trade)):
                if stream in self.heads and self.heads[stream] < sent:
                    found.setdefault(stream, []).append((self.heads[stream] + 1, sent))
        return {stream: spans for stream, spans in found.items() if stream[1] or not trades_only}

    def unseen(self, heads: dict[str, list[int]]) -> list[str]:
        """Symbols of which nothing at all came."""
        return [symbol for symbol in heads if (symbol, False) not in self.heads]

    def told(self) -> dict[Stream, list[Span]]:
        """The trades that the log itself names as missing."""
        found: dict[Stream, list[Span]] = {}
        for _, gap in self.gaps:
            if gap.first_missing and gap.symbol:
                found.setdefault((gap.symbol, True), []).append((gap.first_missing, gap.last_missing))
        return found

    def gaps_between(self) -> set[int]:
        """Changes of the connection (from 1) with a gap of the whole source between its ends."""
        whole = [seq for seq, gap in self.gaps if not gap.symbol]
        seqs = self._seq_of_switch
        return {n for n in range(1, len(seqs)) if any(seqs[n - 1] <= seq < seqs[n] for seq in whole)}

    def gaps_after(self) -> set[int]:
        """Changes of the connection (from 1) with a gap of the whole source soon after."""
        whole = [seq for seq, gap in self.gaps if not gap.symbol]
        seqs = [*self._seq_of_switch, self.seq + 1]
        return {n for n in range(1, len(seqs) - 1) if any(seqs[n] - 1 <= seq < seqs[n + 1] for seq in whole)}

    def bars_differ(self, stored: dict[Key, Bar]) -> list[dict[str, Any]]:
        """Rows of the database that are not what the log gives, and those that only one of them has."""
        return [
            {"bar": key, "log": _plain(self.bars.get(key)), "stored": _plain(stored.get(key))}
            for key in sorted(self.bars.keys() | stored.keys())
            if self.bars.get(key) != stored.get(key)
        ][:KEPT]


def amount(spans: dict[Stream, list[Span]]) -> int:
    return sum(last - first + 1 for each in spans.values() for first, last in each)


def _plain(bar: Bar | None) -> Any:
    return None if bar is None else msgspec.to_builtins(bar)
