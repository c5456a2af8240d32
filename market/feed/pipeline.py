"""From items to ticks: sequence, then quality. Pure; what passes is all that anybody will ever see."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from market.feed.quality import Gate, Refused, Scale, never
from market.feed.sequence import Numbering, Sequence
from market.sources.items import Gap, Malformed, RawPrint, RawQuote, Settled
from market.ticks import Print, Quote, Reference
from simgame.kernel import money

REFUSED_KEPT = 200  # waiting to be written; beyond it only the counters grow


class Passed(msgspec.Struct, frozen=True):
    """What became of one item: at most a gap (first) and a tick."""

    tick: Quote | Print | None = None
    gap: Gap | None = None


NOTHING = Passed()


class Pipeline:
    def __init__(
        self, instruments: Iterable[Scale], numbering: Numbering, closed: Callable[[int], bool] = never
    ):
        self.sequence = Sequence(numbering)
        self.gate = Gate(instruments, closed)
        self.refused: list[Refused] = []

    def take(
        self, item: Quote | Print | RawQuote | RawPrint | Malformed | Gap, clock_ns: int, speed: int = 1
    ) -> Passed:
        kind = type(item)
        if kind is Quote or kind is Print:
            return self._judge(item, clock_ns, speed)  # type: ignore[arg-type]
        if isinstance(item, Gap):
            self.sequence.gaps += 1
            self.sequence.missing += max(0, item.last_missing - item.first_missing + 1)
            return Passed(gap=_writable(item, clock_ns))
        if isinstance(item, Malformed):
            return self._quarantine(self.gate.refuse_malformed(item))
        return self._judge(item, clock_ns, speed)

    def _judge(self, item: Quote | Print | RawQuote | RawPrint, clock_ns: int, speed: int) -> Passed:
        if not _fits(item.source_seq):  # believed, it would make every true number late
            return self._quarantine(self.gate.refuse_number(item))
        verdict = self.sequence.judge(item)
        if not verdict.passes:
            return NOTHING
        judged = self.gate.admit(item, clock_ns, speed)
        if isinstance(judged, Refused):
            self._quarantine(judged)
            return Passed(gap=verdict.gap and _writable(verdict.gap, clock_ns))
        return Passed(judged, verdict.gap)

    def settlement(self, item: Settled) -> int:
        """The venue's settlement price, scaled; 0 when it is refused."""
        judged = self.gate.settlement(item)
        if isinstance(judged, Refused):
            self._quarantine(judged)
            return 0
        return judged

    def learn(self, references: Iterable[Reference]) -> None:
        for reference in references:
            self.gate.learn(reference)

    def take_refused(self) -> list[Refused]:
        refused, self.refused = self.refused, []
        return refused

    def _quarantine(self, refused: Refused) -> Passed:
        if len(self.refused) < REFUSED_KEPT:
            self.refused.append(refused)
        return NOTHING


def _writable(gap: Gap, clock_ns: int) -> Gap:
    """The gap with a time and numbers that the log can hold: a venue may have said anything."""
    if _fits(gap.at_ns) and _fits(gap.first_missing) and _fits(gap.last_missing):
        return gap
    return Gap(gap.source, gap.symbol, clock_ns)


def _fits(number: object) -> bool:
    return type(number) is int and 0 <= number <= money.INT64_MAX
