"""Duplicates, gaps and late messages, by the sources' own numbers. Pure."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from market.sources.items import Gap, RawPrint, RawQuote
from market.ticks import Print, Quote

Numbered = Quote | Print | RawQuote | RawPrint


class Numbering(StrEnum):
    """What a source promises of `source_seq`, per instrument and kind of tick (0 = no number)."""

    DENSE = "dense"  # counts up by one: a jump is a gap
    RISING = "rising"  # counts up: equal is a duplicate, lower is late


class Verdict(msgspec.Struct, frozen=True):
    passes: bool
    gap: Gap | None = None


PASSES, REFUSED = Verdict(True), Verdict(False)


class Sequence:
    """Tracks (source, epoch, instrument, kind of tick)."""

    def __init__(self, numbering: Numbering = Numbering.RISING):
        self.numbering = numbering
        self.duplicates = self.gaps = self.missing = self.late = self.out_of_order = self.old_epoch = 0
        self._holes: dict[tuple[str, str, bool], tuple[int, int]] = {}  # the last gap: first, last missing
        self._heads: dict[tuple[str, str, bool], tuple[int, int]] = {}  # → (epoch, last number)

    def judge(self, tick: Numbered) -> Verdict:
        kind = type(tick)
        key = (tick.source, tick.symbol, kind is Print or kind is RawPrint)
        epoch, last = self._heads.get(key, (tick.source_epoch, 0))
        if tick.source_epoch < epoch:
            self.old_epoch += 1
            return REFUSED
        if tick.source_epoch > epoch:
            last = 0
        number = tick.source_seq
        if not number:
            self._heads[key] = (tick.source_epoch, last)
            return PASSES
        if number == last:
            self.duplicates += 1
            return REFUSED
        if number < last:
            self._count_lower(key, number)
            return REFUSED
        self._heads[key] = (tick.source_epoch, number)
        if self.numbering is Numbering.DENSE and last and number > last + 1:
            self._holes[key] = (last + 1, number - 1)
            return self._gap(tick, last + 1, number - 1)
        return PASSES

    def resume(self, tick: Quote | Print) -> None:
        """Learn a head from our own WAL, so that what a restarted source repeats is refused."""
        key = (tick.source, tick.symbol, isinstance(tick, Print))
        head = (tick.source_epoch, tick.source_seq)
        if head > self._heads.get(key, (0, 0)):
            self._heads[key] = head

    def _count_lower(self, key: tuple[str, str, bool], number: int) -> None:
        """Lower than the last one: out of order when it was missing until now, else late."""
        first, last = self._holes.get(key, (0, -1))
        if first <= number <= last:
            self.out_of_order += 1
        else:
            self.late += 1

    def _gap(self, tick: Numbered, first: int, last: int) -> Verdict:
        self.gaps += 1
        self.missing += last - first + 1
        return Verdict(True, Gap(tick.source, tick.symbol, tick.at_ns, first, last))
