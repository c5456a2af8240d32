"""A world's market days: when phases change, and what holds on each day. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta

import msgspec

from market.rulebook import Facts, PhaseNow, Rulebook, TradingCalendar, as_date, as_number, limits
from market.rulebook.rules import Phase
from market.ticks import PhaseTick, Reference
from simgame.kernel.clock import NS_PER_S

PhaseAt = Callable[[int], PhaseNow]
AdjustedClose = Callable[[str, int, date | None, date], int]  # symbol, close, last market day, this one
SOURCE = "calendar"
DAY_NS = 86_400 * NS_PER_S
CLOSING_NS = 60 * NS_PER_S  # how long after the close its last ticks may come


class Calendar:
    """Makes the PhaseTick of an instant and the References of a day.

    `phase_at` is the rulebook's hours, or the source's own for a recording with other hours.
    """

    def __init__(
        self,
        book: Rulebook,
        phase_at: PhaseAt,
        instruments: Iterable[Facts],
        adjusted: AdjustedClose | None = None,
        rules_day: int = 0,
        days: TradingCalendar | None = None,
    ):
        self.book = book
        self.phase_at = phase_at
        self.instruments = tuple(instruments)
        self.rules_day = rules_day  # whose rules hold on every day; 0: each day its own
        self.days = days  # of a venue whose own calendar says which days it trades
        self.adjusted = adjusted
        self._known: PhaseNow | None = None

    def now(self, world_ns: int) -> PhaseNow:
        known = self._known
        if known is None or world_ns >= known.next_change_ns > 0:
            known = self._known = self.phase_at(world_ns)
        return known

    def closed(self, world_ns: int) -> bool:
        """Whether the venue had closed a while before: what comes then is no trading."""
        if self.now(world_ns).phase != Phase.CLOSED:
            return False
        return self.phase_at(world_ns - CLOSING_NS).phase == Phase.CLOSED

    def look_again(self) -> None:
        """After a jump of the clock, or when the source changed its mind about the phase."""
        self._known = None

    def phase_tick(
        self, world_ns: int, received_ns: int, speed: int, paused: bool, note: str = ""
    ) -> PhaseTick:
        now = self.now(world_ns)
        return PhaseTick(
            market_day=now.market_day,
            phase=Phase.PAUSED if paused else now.phase,
            next_phase=now.next_phase,
            next_change_ns=now.next_change_ns,
            at_ns=world_ns,
            received_ns=received_ns,
            speed=speed,
            paused=paused,
            note=note or self._unknown(now.market_day),
            opened=now.opened,
            span=now.span,
        )

    def _unknown(self, market_day: int) -> str:
        """What a player should know of a day that the venue's calendar does not reach."""
        day = as_date(market_day)
        if self.days is None or self.days.knows(day):
            return ""
        return f"The holidays of {day.year} are not known here: every weekday counts as a trading day."

    def references(
        self,
        market_day: int,
        close_of: Callable[[str], int],
        at_ns: int,
        received_ns: int,
        last_day: int = 0,
        settlement_of: Callable[[str], int] = lambda _: 0,
    ) -> list[Reference]:
        """One per instrument: previous close, less what ex-dates since `last_day` take off it, and band.

        A contract's also tells the settlement price of the day before, and its band is around that.
        """
        on, after = as_date(market_day), as_date(last_day) if last_day else None
        ruled_by = as_date(self.rules_day or market_day)
        made = []
        for instrument in self.instruments:
            close = close_of(instrument.symbol)
            if self.adjusted is not None:
                close = self.adjusted(instrument.symbol, close, after, on)
            rules = self.book.rules_for(instrument, ruled_by)
            settled = settlement_of(instrument.symbol) if rules.is_contract else 0
            said = (market_day, close, *limits(settled or close, rules), at_ns, received_ns, SOURCE)
            made.append(Reference(instrument.symbol, *said, settlement=settled))
        return made

    def corrected(self, reference: Reference, settlement: int, at_ns: int, received_ns: int) -> Reference:
        """The day's reference with another settlement price of the day before, and the band around it."""
        on = as_date(self.rules_day or reference.market_day)
        instrument = next(each for each in self.instruments if each.symbol == reference.symbol)
        low, high = limits(settlement, self.book.rules_for(instrument, on))
        return msgspec.structs.replace(
            reference,
            settlement=settlement,
            limit_low=low,
            limit_high=high,
            at_ns=at_ns,
            received_ns=received_ns,
        )


def shifted(now: PhaseNow, days: int) -> PhaseNow:
    """The same phase, `days` calendar days later: a replay that goes round again."""
    if not days:
        return now
    day = as_date(now.market_day) + timedelta(days=days)
    return msgspec.structs.replace(
        now,
        market_day=as_number(day),
        next_change_ns=now.next_change_ns + days * DAY_NS if now.next_change_ns else 0,
    )
