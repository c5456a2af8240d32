"""Recomputing a season: every tick again from seed and events, compared with what was published."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from django.conf import settings

from market import rulebook
from market import season as seasons
from market.feed import wal
from market.models import MarketEvent, Season, TickMark
from market.simulation import SOURCE, STEP_NS, Event, SeededMarket, code_hash
from market.simulation import events as happenings
from market.sources import choose
from market.sources.seeded import NO_BREAKER
from market.ticks import Print, Quote
from simgame.kernel.errors import Invalid

CHUNK_STEPS = 2_400  # ten minutes between two words of progress
Said = Callable[[int, int], None]


class Verified(msgspec.Struct):
    """`findings`: what does not fit, in words; none: every tick was what seed and events say."""

    ticks: int = 0
    steps: int = 0
    events: int = 0
    marks: int = 0
    compared: int = 0  # with single ticks of the write-ahead log, as far as it is kept
    findings: list[str] = []
    notes: list[str] = []


def verify(season: Season, commitment: str = "", progress: Said = lambda _done, _all: None) -> Verified:
    """`commitment`: the hash that somebody wrote down when it was published; "" to take the stored one.

    Raises Invalid before the seed is revealed.
    """
    if season.revealed_at is None:
        raise Invalid("The seed is not revealed yet: `manage.py season reveal` publishes it.")
    verified = Verified(findings=[], notes=[])
    _check_the_seal(season, commitment, verified)
    lives = sorted(set(MarketEvent.objects.filter(world=season.world).values_list("life", flat=True)))
    for life in lives:
        _live_again(season, life, verified, progress)
    _check_the_journal(season, verified)
    if not lives:
        verified.notes.append("Nothing has happened in it: no feed has run.")
    return verified


def _check_the_seal(season: Season, commitment: str, verified: Verified) -> None:
    sealed = seasons.commitment_of(season, season.world)
    if sealed != season.commitment or (commitment and sealed != commitment.lower()):
        verified.findings.append(
            f"the seal does not fit: seed, code and rulebook have the hash {sealed},"
            f" published was {commitment or season.commitment}"
        )
    if season.rules != seasons.rules_hash(season.world.rulebook):
        verified.notes.append("the rulebook's file is another one now than when the season was sealed")
    if season.code != code_hash():
        verified.notes.append(
            f"recomputed by other code ({code_hash()[:12]}) than was sealed ({season.code[:12]})"
        )


def _check_the_journal(season: Season, verified: Verified) -> None:
    """Every event in the write-ahead log, as far back as it is kept, must stand in the journal as it was."""
    rows = MarketEvent.objects.filter(world=season.world)
    told = {happenings.encode(Event(row.n, row.step, row.what, row.detail)) for row in rows}
    folder = settings.WAL_DIR / season.world.slug
    for written in wal.replay(folder) if folder.is_dir() else ():
        if isinstance(written, wal.Happened) and written.event not in told:
            event = happenings.decode(written.event)
            verified.findings.append(
                f"event {event.n} after step {event.step} ({event.what}) stands otherwise in the log"
            )


def _live_again(season: Season, life: int, verified: Verified, progress: Said) -> None:
    rows = MarketEvent.objects.filter(world=season.world, life=life)
    journal = [Event(row.n, row.step, row.what, row.detail) for row in rows]
    if [event.n for event in journal] != list(range(1, len(journal) + 1)):
        verified.findings.append(f"life {life}: an event is missing in the journal")
        return
    marks = {row.step: row for row in TickMark.objects.filter(world=season.world, life=life)}
    stated = [*rulebook.load(season.world.rulebook).breakers(), NO_BREAKER]
    for event in journal:
        if event.what == "breaker" and event.detail not in stated:
            verified.findings.append(
                f"life {life}: from step {event.step} on the venue halted otherwise than its rulebook says"
            )
        if event.what == "code" and event.detail["code"] != season.code:
            verified.findings.append(
                f"life {life}: from step {event.step} on other code decided than was sealed"
            )
    market = choose.seeded(season.world, None).market
    log = _Log(settings.WAL_DIR / season.world.slug, life, verified)
    last = max([*marks, journal[-1].step if journal else 0])
    try:
        for event in journal:
            _advance(market, event.step, last, log, progress)
            market.happen(event)
        _advance(market, last, last, log, progress)
    except (ValueError, KeyError, TypeError) as error:
        verified.findings.append(f"life {life}: the journal cannot be lived again: {error}")
        return
    _compare_marks(market, marks, life, verified)
    verified.ticks += market.ticks
    verified.steps += market.step_no
    verified.events += len(journal)


def _advance(market: SeededMarket, to: int, last: int, log: _Log, progress: Said) -> None:
    while market.step_no < to and not market.ended:
        until = min(market.step_no + CHUNK_STEPS, to)
        log.compare(market.advance_to(market.start_ns + until * STEP_NS))
        progress(market.step_no, last)


def _compare_marks(market: SeededMarket, marks: dict[int, TickMark], life: int, verified: Verified) -> None:
    found = {mark.step: mark for mark in market.marks}
    for step, published in marks.items():
        again = found.get(step)
        if again is None or (again.ticks, again.digest) != (published.ticks, published.digest):
            verified.findings.append(
                f"life {life}: up to step {step} the ticks are not those that were published"
            )
            return
    verified.marks += len(marks)


class _Log:
    """The write-ahead log's ticks of one life, beside the recomputed ones."""

    def __init__(self, folder: Path, life: int, verified: Verified):
        self.life, self.verified = life, verified
        self._ticks = _ticks_of(folder, life)
        self._next = next(self._ticks, None)
        self._first = self._next.source_seq if self._next else 0
        self._broken = False

    def compare(self, ticks: list[Quote | Print]) -> None:
        for tick in ticks:
            if self._next is None or self._broken or tick.source_seq < self._first:
                continue
            if tick.source_seq < self._next.source_seq:
                continue  # the feed's gate did not let it pass: nobody saw it
            if _content(tick) != _content(self._next):
                self._broken = True
                self.verified.findings.append(
                    f"life {self.life}: tick {tick.source_seq} of {tick.symbol} was published otherwise"
                )
                continue
            self.verified.compared += 1
            self._next = next(self._ticks, None)


def _ticks_of(folder: Path, life: int) -> Iterator[Quote | Print]:
    seen = 0
    for written in wal.replay(folder) if folder.is_dir() else ():
        if not isinstance(written, list):
            continue
        for tick in written:
            if not isinstance(tick, Quote | Print) or tick.source != SOURCE or tick.source_epoch != life:
                continue
            if tick.source_seq > seen:  # not a quote that was only said again
                seen = tick.source_seq
                yield tick


def _content(tick: Quote | Print) -> tuple[object, ...]:
    if isinstance(tick, Quote):
        return tick.symbol, tick.at_ns, tick.source_seq, tick.bids, tick.asks
    return tick.symbol, tick.at_ns, tick.source_seq, tick.price, tick.size, tick.side
