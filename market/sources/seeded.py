"""The seeded market as a source: world time is the wall clock, chance runs on the market's own steps.

Whatever happens to the market besides chance is an event, and is in the write-ahead log before it
happens. So a restart lives every step again that the log has, and whoever has seed and events can too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import structlog

from market.feed.sequence import Numbering
from market.rulebook import Phase
from market.simulation import ALWAYS, MODEL, STEP_NS, VENUE, BadState, Event, Mark, SeededMarket, code_hash
from market.simulation import SOURCE as NAME
from market.simulation import events as happenings
from market.simulation.saved import named
from market.sources import injected
from market.sources.base import Kept, Paced, PastBar, Stage
from market.sources.items import Item
from market.ticks import PhaseTick, Print, Quote
from simgame.kernel.clock import NS_PER_S

CATCH_UP_NS_MAX = 30 * NS_PER_S  # later than this we skip ahead instead of living every step
RELIVED_STEPS_MAX = 8 * 3_600 * 4  # without a saved state: a market of eight hours takes a minute
ENDED = "The season is over: nothing more will happen in this market."
NO_BREAKER = {"move_ppm": 0, "within_s": 0, "halt_s": 0}
MODES = {
    Phase.CONTINUOUS: "continuous",
    Phase.AUCTION: "auction",
    Phase.AUCTION_LOCKED: "auction",
}

log = structlog.get_logger(__name__)


class Saved(msgspec.Struct, array_like=True):
    """A world of an earlier release has the first six only, and a market that says so itself."""

    seed: int | str  # market.simulation.saved.named
    start_ns: int
    hours: str
    market_day: int
    epoch: int
    market: bytes
    owed: list[Quote | Print] = []  # lived through, and not put into the feed yet
    code: str = ""
    events: list[Event] = []  # the tables do not have them yet
    marks: list[Mark] = []


class SeededSource(Paced):
    name = NAME
    numbering = Numbering.RISING  # the market counts over all instruments
    pace_s = STEP_NS / NS_PER_S

    def __init__(
        self,
        seed: int,
        start_ns: int,
        *,
        hours: str = "always",
        utc_offset_s: int = 0,
        count: int = 30,
        sealed: str = "",
        over: bool = False,
        breaker: Callable[[int], dict[str, int]] = lambda _market_day: {},
    ):
        """sealed: the published hash under which the seed is hidden; "" for an open seed. over: its season
        has ended, so a market that cannot go on does not begin anew either. breaker: when the venue halts
        a price by itself on a market day, as `Rulebook.breaker`.
        """
        super().__init__()
        self.hours, self.sealed, self._over = hours, sealed, over
        self._place = utc_offset_s, count
        self._breaker_on, self._breaker_day = breaker, 0
        self.market = self._market(seed, start_ns)
        self.market_day = 0
        self.epoch = 0  # counts how often this world's market began anew: its lives before this one
        self._code = ""
        self._owed: list[Quote | Print] = []
        self._events: list[Event] = []
        self._marks: list[Mark] = []
        self._remembered: list[Event] = []
        self._closes: dict[str, list[int]] = {}
        self._adopts = ""
        self._write: Callable[[bytes], None] = _nowhere

    # --- ticks --------------------------------------------------------------------------------------

    def due(self, now_ns: int, stage: Stage) -> list[Item]:
        market = self.market
        owed = [msgspec.structs.replace(tick, received_ns=stage.wall_ns()) for tick in self._owed]
        self._owed.clear()
        ticks: list[Quote | Print] = []
        if not market.ended and (market.mode != "closed" or market.busy):
            if now_ns - market.now_ns > CATCH_UP_NS_MAX:  # after a pause, an outage or closed hours
                self._skip_to(now_ns - STEP_NS)
            until = now_ns if market.mode != "closed" else min(now_ns, market.now_ns + STEP_NS)
            ticks = market.advance_to(until, stage.wall_ns())
        return [*owed, *self._of_this_life(ticks)]

    def _of_this_life(self, ticks: list[Quote | Print]) -> list[Quote | Print]:
        if not self.epoch:
            return ticks
        return [msgspec.structs.replace(tick, source_epoch=self.epoch) for tick in ticks]

    def on_phase(self, tick: PhaseTick) -> None:
        if tick.paused or self.market.ended:
            return
        if self.market_day and tick.market_day != self.market_day:
            self.happen("day", night=self.hours == "venue")
        self.market_day = tick.market_day
        self._keep_the_breaker(tick.market_day)
        mode = MODES.get(Phase(tick.phase), "closed")
        if mode != self.market.mode:
            self._skip_to(tick.at_ns - STEP_NS)
            self.happen("mode", mode=mode)

    def _keep_the_breaker(self, market_day: int) -> None:
        """What the rulebook of the day says is an event too: whoever lives the market again has it."""
        if market_day == self._breaker_day:
            return
        self._breaker_day = market_day
        said = self._breaker_on(market_day) or NO_BREAKER
        known = self.market.breaker
        if said != (known._asdict() if known else NO_BREAKER):
            self.happen("breaker", **said)

    # --- events -------------------------------------------------------------------------------------

    def log_to(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        if self._adopts:
            self.happen("adopt", why=self._adopts, prices=self._closes)
            self._adopts = ""
        if self._code != code_hash() and not self.market.ended:
            self._code = code_hash()
            self.happen("code", model=MODEL, code=self._code)
        if self._over and not self.market.ended:
            self.happen("end")

    def happen(self, what: str, **detail: Any) -> Event:
        """Log it, then let it happen."""
        event = self.market.event(what, **detail)
        self._write(happenings.encode(event))
        self._events.append(event)
        return self.market.happen(event)

    def _skip_to(self, world_ns: int) -> None:
        """Closed hours and outages leave prices where they are."""
        to = (world_ns - self.market.start_ns) // STEP_NS
        if (to - self.market.step_no) * STEP_NS > CATCH_UP_NS_MAX:
            self.happen("skip", to=to, open_s=0)

    def asked(self, question: dict[str, Any]) -> dict[str, Any]:
        if self.market.ended:
            raise ValueError(ENDED)
        return injected.answer(self, question)

    def to_keep(self) -> Kept | None:
        self._marks += self.market.marks
        self.market.marks.clear()
        if not self._events and not self._marks:
            return None
        return Kept(self.epoch, self._events[:], self._marks[:], self.market.start_ns, STEP_NS)

    def was_kept(self, kept: Kept) -> None:
        del self._events[: len(kept.events)], self._marks[: len(kept.marks)]

    # --- restarts -------------------------------------------------------------------------------------

    keeps_state = True

    def save(self) -> bytes:
        market = self.market
        self._marks += market.marks
        market.marks.clear()
        return msgspec.msgpack.encode(
            Saved(
                named(market.seed),
                market.start_ns,
                self.hours,
                self.market_day,
                self.epoch,
                market.state(),
                self._owed,
                self._code,
                self._events,
                self._marks,
            )
        )

    def remember(self, happened: list[bytes], closes: dict[str, list[int]]) -> None:
        events = [happenings.decode(event) for event in happened]
        begins = [place for place, event in enumerate(events) if event.n == 1]
        self._remembered = events[begins[-1] :] if begins else events  # of the last life
        self._closes = closes

    def resume(self, saved: bytes, last: Quote | Print | None) -> None:
        """Live again what the WAL has already; what comes next is new."""
        kept = msgspec.msgpack.decode(saved, type=Saved) if saved else None
        why = self._why_anew(kept)
        if not why:
            self._relive(last)
        elif last is not None or kept is not None:
            self._begin_anew(why, kept, last)

    def _why_anew(self, kept: Saved | None) -> str:
        """ "" when the market goes on from what was kept, or from its first step."""
        if kept is None:
            whole = not self._remembered or self._remembered[0].n == 1
            long = self._remembered and self._remembered[-1].step > RELIVED_STEPS_MAX
            return "" if whole and self._remembered and not long else "no saved state"
        if (kept.seed, kept.hours) != (named(self.market.seed), self.hours):
            return "the saved state is of another seed or other hours"
        market = self._market(self.market.seed, kept.start_ns)
        try:
            market.restore(kept.market)
        except BadState as error:
            return str(error)
        self.market, self.market_day, self.epoch = market, kept.market_day, kept.epoch
        self._owed, self._code = kept.owed, kept.code
        self._events, self._marks = kept.events, kept.marks
        return ""

    def _relive(self, last: Quote | Print | None) -> None:
        """From the saved state: the events logged since, and the steps up to the last tick in the log."""
        market = self.market
        known = market.events
        events = [event for event in happenings.dense(self._remembered) if event.n > known]
        if last is not None:
            self.epoch = max(self.epoch, last.source_epoch)
        step = (last.at_ns - market.start_ns) // STEP_NS if last is not None else 0
        lived = market.relive(events, max(step, market.step_no))
        seen = last.source_seq if last is not None else 0
        self._owed += self._of_this_life([tick for tick in lived if tick.source_seq > seen])
        self._events += events
        for event in events:
            self._code = event.detail["code"] if event.what == "code" else self._code

    def _begin_anew(self, why: str, kept: Saved | None, last: Quote | Print | None) -> None:
        """Another life, at the prices that everybody has seen last."""
        self.epoch = 1 + max(kept.epoch if kept else 0, last.source_epoch if last else 0)
        self.market_day = kept.market_day if kept else 0
        self._adopts = why[:200]
        log.warning("seeded_market_begins_anew", why=why, life=self.epoch, prices=len(self._closes))

    # --- the past, and what it says of itself -----------------------------------------------------

    def previous_closes(self) -> dict[str, int]:
        return {listing.symbol: listing.previous_close for listing in self.market.instruments}

    def history(self) -> Iterator[PastBar]:
        for listing in self.market.instruments:
            for interval, bars in self.market.history(listing.symbol).items():
                for bar in bars:
                    start = bar.start_ns // NS_PER_S
                    start += self._place[0] if interval == "1d" else 0  # days are named by their date
                    yield PastBar(
                        listing.symbol,
                        interval,
                        start,
                        bar.open,
                        bar.high,
                        bar.low,
                        bar.close,
                        bar.volume,
                        bar.turnover,
                        bar.prints,
                        bar.closed,
                    )

    def describe(self) -> dict[str, object]:
        market = self.market
        facts: dict[str, object] = {
            "seed": None if self.sealed else market.seed,
            "sealed": self.sealed,
            "start_ns": str(market.start_ns),
            "model": MODEL,
            "code": code_hash(),
            "life": self.epoch,
            "step": market.step_no,
            "hash": market.state_hash(),
            "events": market.events,
            "events_hash": market.journal_digest.hex(),
            "ticks": market.ticks,
            "ticks_hash": market.ticks_digest.hex(),
            "mode": market.mode,
            "ended": market.ended,
            "instruments": len(market.stocks),
        }
        return {**super().describe(), **facts}

    def _market(self, seed: int, start_ns: int) -> SeededMarket:
        return SeededMarket(seed, start_ns, VENUE if self.hours == "venue" else ALWAYS, *self._place)


def _nowhere(_event: bytes) -> None:
    """A source that no feed runs has nothing to remember."""
