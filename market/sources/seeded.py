"""The seeded market as a source: world time is the wall clock, chance runs on the market's own steps."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import structlog

from market.feed.sequence import Numbering
from market.rulebook import Phase
from market.simulation import ALWAYS, STEP_NS, VENUE, BadState, SeededMarket
from market.simulation import SOURCE as NAME
from market.sources.base import Paced, PastBar, Stage
from market.sources.items import Item
from market.ticks import PhaseTick, Print, Quote
from simgame.kernel.clock import NS_PER_S

CATCH_UP_NS_MAX = 30 * NS_PER_S  # later than this we skip ahead instead of living every step

log = structlog.get_logger(__name__)


class Saved(msgspec.Struct, array_like=True):
    seed: int
    start_ns: int
    hours: str
    market_day: int
    epoch: int
    market: bytes


class SeededSource(Paced):
    name = NAME
    numbering = Numbering.RISING  # the market counts over all instruments
    pace_s = STEP_NS / NS_PER_S

    def __init__(self, seed: int, start_ns: int, *, hours: str = "always", utc_offset_s: int = 0):
        super().__init__()
        self.hours = hours
        self.market = self._market(seed, start_ns, utc_offset_s)
        self._utc_offset_s = utc_offset_s
        self._market_day = 0
        self._open = True
        self._epoch = 0  # counts how often this world's market began anew

    def due(self, now_ns: int, stage: Stage) -> list[Item]:
        if not self._open:
            return []
        if now_ns - self.market.now_ns > CATCH_UP_NS_MAX:  # after a pause, an outage or closed hours
            self.market.skip_to(now_ns - STEP_NS, 0)
        ticks = self.market.advance_to(now_ns, stage.wall_ns())
        if not self._epoch:
            return list(ticks)
        return [msgspec.structs.replace(tick, source_epoch=self._epoch) for tick in ticks]

    def on_phase(self, tick: PhaseTick) -> None:
        self._open = tick.phase == Phase.CONTINUOUS
        if self._market_day and tick.market_day != self._market_day:
            self.market.begin_day(night=self.hours == "venue")
        self._market_day = tick.market_day

    def previous_closes(self) -> dict[str, int]:
        return {listing.symbol: listing.previous_close for listing in self.market.instruments}

    def history(self) -> Iterator[PastBar]:
        for listing in self.market.instruments:
            for interval, bars in self.market.history(listing.symbol).items():
                for bar in bars:
                    start = bar.start_ns // NS_PER_S
                    start += self._utc_offset_s if interval == "1d" else 0  # days are named by their date
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

    def save(self) -> bytes:
        market = self.market
        return msgspec.msgpack.encode(
            Saved(market.seed, market.start_ns, self.hours, self._market_day, self._epoch, market.state())
        )

    def resume(self, saved: bytes, last: Quote | Print | None) -> None:
        """Relive the steps that the WAL has already; what comes next is new."""
        kept = msgspec.msgpack.decode(saved, type=Saved) if saved else None
        if kept is not None and self._restore(kept):
            self._market_day, self._epoch = kept.market_day, kept.epoch
        elif last is not None:
            self._epoch = last.source_epoch + 1
            log.warning("seeded_market_begins_anew", why="no saved state of this seed and these hours")
        if last is not None and last.at_ns - self.market.now_ns <= CATCH_UP_NS_MAX:
            self.market.advance_to(last.at_ns)

    def _restore(self, kept: Saved) -> bool:
        """False when what was saved is of another seed, other hours or another version of the market."""
        if (kept.seed, kept.hours) != (self.market.seed, self.hours):
            return False
        market = self._market(kept.seed, kept.start_ns, self._utc_offset_s)
        try:
            market.restore(kept.market)
        except BadState as error:
            log.warning("seeded_state_refused", why=str(error))
            return False
        self.market = market
        return True

    def describe(self) -> dict[str, object]:
        market = self.market
        facts = {"seed": market.seed, "step": market.step_no, "hash": market.state_hash()}
        facts["journal"] = market.journal
        return {**super().describe(), **facts}

    def _market(self, seed: int, start_ns: int, utc_offset_s: int) -> SeededMarket:
        return SeededMarket(seed, start_ns, VENUE if self.hours == "venue" else ALWAYS, utc_offset_s)
