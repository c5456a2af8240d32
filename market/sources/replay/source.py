"""A recording as a source: paced by the world's clock, at any speed, again and again when it loops.

World time is the recording's own time, moved on by a whole number of laps. A recording in which the
venue never closes goes round without a break: a lap is its length. One with hours of its own begins a
new market day with each lap: a lap is the calendar days it spans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from market.feed.calendar import shifted
from market.feed.sequence import Numbering
from market.rulebook import Phase, PhaseNow, as_date, as_number
from market.sources.base import Paced, PastBar, Stage, State
from market.sources.items import Gap, Item, Malformed, Settled, Skipped
from market.sources.replay.facts import Recording
from market.sources.replay.hours import local_date, local_ns
from market.sources.replay.passed_over import PassedOver
from market.ticks import Print, Quote
from simgame.kernel.clock import NS_PER_S, parse_rfc3339

SOURCE = "replay"
DAY_NS = 86_400 * NS_PER_S
IDLE_S = 10  # of wall time (at most 2 minutes of world time) without a tick ahead: the clock jumps
LEAD_S = 2  # of wall time before the tick that it jumps to
PACE_MAX = 12  # of these two: so that a fast replay does not wait long either
CONFLATE_FROM = 20  # from this speed on only the last quote of a look counts (prints all do)
ENDED = "recording ended"

PhaseAt = Callable[[int], PhaseNow]


class ReplaySource(Paced):
    name = SOURCE
    numbering = Numbering.RISING  # source_seq is the place in the recording, source_epoch the lap from 1

    def __init__(self, recording: Recording, hours: PhaseAt, *, loop: bool = False, skip_idle: bool = True):
        super().__init__()
        self.recording = recording
        self.facts = recording.facts
        self.loop, self.skip_idle = loop, skip_idle
        self.lap = 0
        self._hours = hours
        self._pending: list[Item] = []  # to be said before anything else
        self._zone = ZoneInfo(self.facts.timezone)
        self._own_hours = recording.phase(self.facts.start_ns) is not None
        self._lap_days = self._days_spanned() if self._own_hours else 0
        self.lap_ns = self._lap_days * DAY_NS or self._length_ns()
        self._begin(0)

    # --- time --------------------------------------------------------------------------------------

    def start_ns(self, last: Quote | Print | None) -> int | None:
        return last.at_ns if last else self.facts.start_ns

    def phase(self, world_ns: int) -> PhaseNow | None:
        """The recorded venue's phase; closed between the recording's end and the next lap."""
        lap = self._lap_at(world_ns)
        recorded_ns = world_ns - lap * self.lap_ns
        now = self._phase_within(min(recorded_ns, self.facts.end_ns), lap)
        if self.loop and not self._own_hours:
            return self._hours(world_ns)
        if recorded_ns > self.facts.end_ns:
            now = PhaseNow(now.market_day, Phase.CLOSED, Phase.CLOSED, 0)
        if self.loop and not now.next_change_ns:
            following = self._phase_within(self.facts.start_ns, lap + 1)
            start_ns = self.facts.start_ns + (lap + 1) * self.lap_ns
            return msgspec.structs.replace(now, next_phase=following.phase, next_change_ns=start_ns)
        return now

    def _phase_within(self, recorded_ns: int, lap: int) -> PhaseNow:
        recorded = self.recording.phase(recorded_ns)
        if recorded is None:
            return self._hours(recorded_ns + lap * self.lap_ns)
        return shifted(recorded, lap * self._lap_days)

    def seek(self, wanted: str, world_ns: int) -> int:
        """`wanted`: RFC 3339 in the recording's time, or HH:MM[:SS] in its zone.

        Backwards is forwards into the next lap.
        """
        target = self._moment(wanted, world_ns - self.lap * self.lap_ns)
        if not self.facts.start_ns <= target <= self.facts.end_ns:
            raise ValueError(
                f"{wanted} is outside the recording:"
                f" {_text(self.facts.start_ns)} to {_text(self.facts.end_ns)}."
            )
        lap = self.lap if target + self.lap * self.lap_ns >= world_ns else self.lap + 1
        if lap > self.lap and not self.loop:
            raise ValueError("World time never runs backwards, and this replay does not loop.")
        # From here it must succeed.
        passed: list[Item] = [item for item in self._pending if isinstance(item, Skipped)]
        while lap > self.lap:
            passed += self._pass_over(self.facts.end_ns + 1)[0]
            self._begin(self.lap + 1)
        over, quotes = self._pass_over(target)
        passed += over
        if quotes:
            passed += [Gap(SOURCE, "", max(quote.at_ns for quote in quotes)), *quotes]
        self._pending = passed
        return target + lap * self.lap_ns

    def previous_closes(self) -> dict[str, int]:
        return self.recording.previous_closes()

    def history(self) -> Iterator[PastBar]:
        return iter(self.recording.history())

    def resume(self, saved: bytes, last: Quote | Print | None) -> None:
        """Read on behind the place that the WAL's last tick names."""
        if last is not None and last.source == SOURCE:
            self._begin(max(0, last.source_epoch - 1))
            while self._next is not None and self._place <= last.source_seq:
                self._advance()

    def describe(self) -> dict[str, object]:
        return {
            **super().describe(),
            "recording": self.facts.recording,
            "format": self.facts.format,
            "lap": self.lap + 1,
            "loop": self.loop,
            "place": self._place,
        }

    # --- ticks -------------------------------------------------------------------------------------

    def due(self, now_ns: int, stage: Stage) -> list[Item]:
        items, self._pending = self._pending, []
        recorded_ns = now_ns - self.lap * self.lap_ns
        while self._next is not None and self._next[0] <= recorded_ns:
            items.append(self._next[1])
            self._advance()
        if stage.speed >= CONFLATE_FROM:
            items = conflated(items)
        wall_ns = stage.wall_ns()
        stamped = [self._stamped(item, wall_ns) for item in items]
        if self._next is None:
            self._end(now_ns, stage)
        elif self.skip_idle:
            self._skip_idle(now_ns, stage)
        return stamped

    def _stamped(self, item: Item, wall_ns: int) -> Item:
        shift = self.lap * self.lap_ns
        if isinstance(item, Malformed):
            return msgspec.structs.replace(item, source=SOURCE)
        if isinstance(item, Skipped):
            return item
        if isinstance(item, Gap):
            return msgspec.structs.replace(item, source=SOURCE, at_ns=item.at_ns + shift)
        if isinstance(item, Settled):
            day = as_number(as_date(item.market_day) + timedelta(days=self.lap * self._lap_days))
            return msgspec.structs.replace(item, source=SOURCE, market_day=day)
        return msgspec.structs.replace(
            item, source=SOURCE, source_epoch=self.lap + 1, at_ns=item.at_ns + shift, received_ns=wall_ns
        )

    def _begin(self, lap: int) -> None:
        self.lap = lap
        self.note = ""
        self._play = self.recording.play()
        self._place = 0
        self._pending = []
        self._next: tuple[int, Item] | None = None
        self._advance()

    def _advance(self) -> None:
        """Take the next item; its place is its number in the recording."""
        found = next(self._play, None)
        if found is None:
            self._next = None
            return
        at_ns, item = found
        self._place += 1
        if not isinstance(item, Malformed | Gap):
            item = msgspec.structs.replace(item, source_seq=self._place)
        self._next = (at_ns, item)

    def _pass_over(self, until_ns: int) -> tuple[list[Skipped], list[Quote]]:
        """Read up to this play time without saying it: what was traded in world time, the last quotes."""
        shift = self.lap * self.lap_ns
        quotes: dict[str, Quote] = {}
        over = PassedOver(SOURCE, self.phase)
        for item in self._pending:  # of a seek just before, not yet said
            if isinstance(item, Quote):
                quotes[item.symbol] = item
        while self._next is not None and self._next[0] < until_ns:
            item = self._next[1]
            if isinstance(item, Quote):
                quotes[item.symbol] = item
            elif isinstance(item, Print):
                over.add(item, item.at_ns + shift)
            self._advance()
        return over.items(), list(quotes.values())

    def _end(self, now_ns: int, stage: Stage) -> None:
        if self.loop:
            following = self.facts.start_ns + (self.lap + 1) * self.lap_ns
            if now_ns >= following:
                self._begin(self.lap + 1)
            elif self._own_hours and self.skip_idle and now_ns - self.lap * self.lap_ns > self.facts.end_ns:
                self.note = ENDED
                stage.jump(following)
        elif self.state is not State.ENDED and now_ns > self.facts.end_ns + self.lap * self.lap_ns:
            self.become(State.ENDED, ENDED)

    def _skip_idle(self, now_ns: int, stage: Stage) -> None:
        """Over hours without a tick the clock jumps: from phase to phase, then close to the next tick."""
        assert self._next is not None
        following = self._next[0] + self.lap * self.lap_ns
        pace_ns = min(stage.speed, PACE_MAX) * NS_PER_S
        if following - now_ns <= IDLE_S * pace_ns:
            return
        phase = self.phase(now_ns)
        change = phase.next_change_ns if phase and phase.next_change_ns > now_ns else following
        stage.jump(max(now_ns, min(change, following - LEAD_S * pace_ns)))

    # --- small parts ---------------------------------------------------------------------------------

    def _lap_at(self, world_ns: int) -> int:
        return max(0, (world_ns - self.facts.start_ns) // self.lap_ns) if self.loop else 0

    def _days_spanned(self) -> int:
        first, last = (local_date(at, self._zone) for at in (self.facts.start_ns, self.facts.end_ns))
        return (last - first).days + 1

    def _length_ns(self) -> int:
        """The recording's length, up to the next whole second, and one more."""
        return ((self.facts.end_ns - self.facts.start_ns) // NS_PER_S + 1) * NS_PER_S

    def _moment(self, wanted: str, recorded_ns: int) -> int:
        try:
            if "-" in wanted:
                return parse_rfc3339(wanted)
            return local_ns(local_date(recorded_ns, self._zone), time.fromisoformat(wanted), self._zone)
        except ValueError:
            raise ValueError(
                f"{wanted!r} is no time: 2019-06-10T02:30:00Z, or 10:30 in the recording's zone."
            ) from None


def conflated(items: list[Item]) -> list[Item]:
    """Of several quotes of one instrument only the last; everything else stays."""
    kept: list[Item] = []
    seen: set[str] = set()
    for item in reversed(items):
        if isinstance(item, Quote):
            if item.symbol in seen:
                continue
            seen.add(item.symbol)
        kept.append(item)
    return kept[::-1]


def _text(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(at_ns // NS_PER_S, UTC):%Y-%m-%dT%H:%M:%SZ}"
