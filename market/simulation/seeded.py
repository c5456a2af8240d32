"""The seeded market: same seed and same events, same ticks, byte for byte. Pure: time comes in.

Steps lie on a grid of STEP_NS from `start_ns`. What comes out depends on (seed, start_ns, hours, number
of instruments) and on the events (events.py), not on how often `advance_to` is called.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import Any, Final

import msgspec

from market.simulation import agents, auction, chance, factors, saved
from market.simulation.breaker import Breaker
from market.simulation.companies import COMPANIES, acts_of_65536, listed
from market.simulation.events import Event, chained
from market.simulation.factors import STIR_STEPS, Tide
from market.simulation.happening import HAPPENS, halt
from market.simulation.history import HistoryBar, Opening, Past
from market.simulation.listing import Mark, listing_of
from market.simulation.orders import Deal
from market.simulation.saved import BadState
from market.simulation.scenarios import mood_of, word_spreads
from market.simulation.sessions import ALWAYS, Sessions
from market.simulation.stock import NEVER, Stock
from market.simulation.tempo import USUAL, Tempo
from market.ticks import Print, Quote, Reference

SOURCE: Final = "seeded"
STEP_NS: Final = 250_000_000
STEPS_PER_S: Final = 4
NS_PER_S: Final = 10**9
DEPTH: Final = 5  # levels shown a side
MARK_STEPS: Final = 3_600 * STEPS_PER_S  # how often the ticks so far are summed up in a mark
AUCTION_PACE: Final = 3
_TIDES, _AGES, _STIRS = (1 << 32) + 1, (1 << 32) + 2, (1 << 35)


class SeededMarket:
    """A market of invented companies.

    seed      any whole number
    start_ns  world time of step 0; rounded down to STEP_NS
    sessions  the hours of a trading day, for the pace of prices and the shape of past bars
    utc_offset_s  where the world's day begins, in seconds east of UTC
    count     how many instruments
    """

    def __init__(
        self,
        seed: int,
        start_ns: int,
        sessions: Sessions = ALWAYS,
        utc_offset_s: int = 0,
        count: int = len(COMPANIES),
    ):
        self.seed = seed
        self.start_ns = start_ns // STEP_NS * STEP_NS
        self.sessions = sessions
        self.companies = listed(count)
        self.past = Past(seed, self.start_ns, sessions, utc_offset_s, self.companies)
        self.tempo = Tempo(sessions, utc_offset_s)
        self.day_beats = sessions.open_s * STEPS_PER_S * USUAL
        self.step_no = self.beats = self.events = self.ticks = self.taken_upto = 0
        self.mode = "continuous"
        self.ended = False
        self.breaker: Breaker | None = None  # the event `breaker` sets it
        self.journal_digest = self.ticks_digest = bytes(32)
        self.marks: list[Mark] = []  # to be fetched by whoever keeps them: no part of the state
        self.next_mark = MARK_STEPS
        self.source_seq = 0
        self.key = chance.key_of(seed, self.start_ns)
        self._steps_per_vol = max(sessions.open_s * STEPS_PER_S // factors.VOL_UPDATES_PER_DAY, 1)
        opening = self.past.opening()
        self.tide = Tide(opening.market_vol_log, self.day_beats)
        self.stocks = [_stock(number, each.symbol, opening) for number, each in enumerate(self.companies)]
        self.by_symbol = {stock.company.symbol: stock for stock in self.stocks}
        self.instruments = tuple(listing_of(stock) for stock in self.stocks)
        for stock in self.stocks:
            agents.tend(stock, 0, chance.Dice(self.key, stock.number, 0), [])
        self.look_at_the_clock()
        self.call_everybody()

    @property
    def now_ns(self) -> int:
        """World time of the last step."""
        return self.start_ns + self.step_no * STEP_NS

    @property
    def busy(self) -> bool:
        """Whether the next step has something to show though the market is closed."""
        return bool(self._queue) and self._queue[0][0] <= self.step_no + 1

    # --- time -----------------------------------------------------------------------------------

    def advance_to(self, world_ns: int, received_ns: int = 0) -> list[Quote | Print]:
        """Run every step up to and including `world_ns`; the ticks in the order they happened.

        The first step also shows every book once. `received_ns` is copied into the ticks and
        changes nothing else. A time in the past gives nothing.
        """
        ticks: list[Quote | Print] = []
        last = (world_ns - self.start_ns) // STEP_NS
        while self.step_no < last and not self.ended:
            self._step(ticks, received_ns)
        return ticks

    def relive(self, journal: Iterable[Event], step_no: int) -> list[Quote | Print]:
        """Go on with `journal`, events that follow those known, up to `step_no`: the ticks on the way."""
        ticks: list[Quote | Print] = []
        for event in journal:
            ticks += self.advance_to(self.start_ns + event.step * STEP_NS)
            self.happen(event)
        return ticks + self.advance_to(self.start_ns + step_no * STEP_NS)

    def _step(self, ticks: list[Quote | Print], received_ns: int) -> None:
        self.step_no += 1
        step = self.step_no
        self.beats += self._pace
        if step % STEPS_PER_S == 0:
            self.look_at_the_clock()
            if self.mode != "closed":
                self.tide.flow(self._pace * STEPS_PER_S, chance.Dice(self.key, _TIDES, step))
        if step % self._steps_per_vol == 0:
            self._age(step)
        self._stir(step)
        first = len(ticks)
        queue = self._queue
        while queue and queue[0][0] <= step:
            due, number = heappop(queue)
            stock = self.stocks[number]
            if stock.next_step == due:
                self._visit(stock, ticks, received_ns)
                heappush(queue, (stock.next_step, number))
        if len(ticks) > first:
            self._sum_up(ticks[first:])
        if step >= self.next_mark:
            self.marks.append(Mark(step, self.ticks, self.ticks_digest.hex()))
            self.next_mark = (step // MARK_STEPS + 1) * MARK_STEPS

    def _sum_up(self, ticks: list[Quote | Print]) -> None:
        self.ticks += len(ticks)
        said = [
            (tick.symbol, tick.bids, tick.asks)
            if type(tick) is Quote
            else (tick.symbol, tick.price, tick.size, tick.side)  # type: ignore[union-attr]
            for tick in ticks
        ]
        payload = msgspec.msgpack.encode((self.step_no, self.source_seq, said))
        self.ticks_digest = hashlib.sha256(self.ticks_digest + payload).digest()

    def _age(self, step: int) -> None:
        """Volatilities drift; now and then a company has news of its own."""
        aged = factors.vol_after_update
        self.tide.set_volatility(aged(self.tide.vol_log, chance.Dice(self.key, _AGES, step)))
        for stock in self.stocks:
            dice = chance.Dice(self.key, _AGES + (stock.number + 1 << 34), step)
            stock.set_volatility(aged(stock.vol_log, dice), self.tide.stir)
            if self.mode == "continuous" and (news := factors.jump(dice)):
                self._hear(stock, news)

    def _hear(self, stock: Stock, news: int) -> None:
        """Half of it is known at once, the rest within minutes; it stays restless afterwards."""
        stock.spells += word_spreads(news, self.step_no)
        stock.mood_until = self.step_no + 1
        stock.set_stir(stock.stir + factors.STIR_OF_NEWS, self.tide.stir)

    def _stir(self, step: int) -> None:
        """Every instrument in its turn, once in STIR_STEPS; what all share first."""
        turn = step % STIR_STEPS
        if not turn:
            self.tide.set_stir(factors.stirred(self.tide.stir, chance.Dice(self.key, _STIRS, step)))
        for stock in self.stocks[turn::STIR_STEPS]:
            dice = chance.Dice(self.key, _STIRS + stock.number + 1, step)
            stock.set_stir(factors.stirred(stock.stir, dice), self.tide.stir)

    # --- one visit to an instrument ---------------------------------------------------------------

    def _visit(self, stock: Stock, ticks: list[Quote | Print], received_ns: int) -> None:
        step = self.step_no
        dice = chance.Dice(self.key, stock.number, step)
        if self.mode != "closed":
            if step >= stock.mood_until:
                stock.mood, stock.mood_until = mood_of(stock.spells, step)
            stock.live_through(step, self.beats, self.tide, dice)
            if stock.spells:  # only now: what ended since the last look has been lived through to its end
                stock.spells = [spell for spell in stock.spells if spell.end > step]
        deals, shown = self._what_happens(stock, dice)
        if deals and self.breaker and self._breaks(stock, deals, self.breaker):
            halt(self, stock, self.breaker.halt_s, "breaker")
            shown = NOTHING_SHOWN
        for deal in deals:
            ticks.append(self._print(stock, deal, received_ns))
        if shown != stock.shown:
            stock.shown = shown
            self.source_seq += 1
            ticks.append(self._quote(stock, shown, received_ns))
        stock.next_step = step + self._wait(stock, dice)

    def _what_happens(self, stock: Stock, dice: chance.Dice) -> tuple[list[Deal], tuple[Any, ...]]:
        step = self.step_no
        if stock.halted_until > step:
            agents.bid_in_auction(stock, step, dice)
            return [], NOTHING_SHOWN
        if self.mode == "auction":
            stock.halted_until, stock.why_halted = 0, ""
            cross = agents.bid_in_auction(stock, step, dice)
            return [], auction.uncrossed(stock.book, cross, DEPTH)
        deals = self._end_auction(stock)
        if self.mode == "continuous":
            first_look = not stock.shown or bool(deals)
            if first_look:
                deals += agents.tend(stock, step, dice, stock.spared)
                stock.spared = []
            else:
                deals += agents.act(stock, step, dice)
        return deals, stock.book.top(DEPTH)

    def _breaks(self, stock: Stock, deals: list[Deal], breaker: Breaker) -> bool:
        trips = stock.recent.trips
        return any(trips(deal.price, self.step_no, breaker) for deal in deals)

    def _end_auction(self, stock: Stock) -> list[Deal]:
        """What crossed in an auction trades at one price, now that it is over."""
        if not stock.in_auction:
            return []
        stock.in_auction, stock.halted_until, stock.why_halted = False, 0, ""
        cross = auction.cross_of(stock.book, stock.last)
        auction.execute(stock.book, cross)
        if not cross.size:
            return []
        stock.last = cross.price
        return [Deal("", cross.price, cross.size)]

    def _wait(self, stock: Stock, dice: chance.Dice) -> int:
        """How many steps until somebody acts in it again: fewer where it is busy or moving."""
        if self.mode == "closed":
            return NEVER
        beats = 65_536 * USUAL // acts_of_65536(stock.company)
        if stock.in_auction:
            beats //= AUCTION_PACE
        eager = (1_000 + stock.heat) * stock.mood.pace // 1_000
        eager = eager * factors.haste(stock.lively) // chance.E_ONE
        drawn = chance.WAITS[dice.getrandbits(8)]
        wait = max(chance.rounded(beats * drawn * 1_000, chance.WAIT_ONE * self._pace * eager), 1)
        if stock.halted_until > self.step_no:
            return min(wait, stock.halted_until - self.step_no)
        return wait

    # --- events -----------------------------------------------------------------------------------

    def event(self, what: str, **detail: Any) -> Event:
        """The next event, to be logged and then given to `happen`."""
        return Event(self.events + 1, self.step_no, what, detail)

    def happen(self, event: Event) -> Event:
        """Raises ValueError for an event that does not follow here."""
        if (event.n, event.step) != (self.events + 1, self.step_no):
            raise ValueError(
                f"event {event.n} after step {event.step} does not follow: the market has seen"
                f" {self.events} events and stands at step {self.step_no}"
            )
        if self.ended:
            raise ValueError("the market has ended: nothing more happens in it")
        self.events = event.n
        self.journal_digest = chained(self.journal_digest, event)
        HAPPENS[event.what](self, **event.detail)
        return event

    def skip_to(self, world_ns: int, open_s: int) -> Event | None:
        """Jump to `world_ns` without ticks, with `open_s` seconds of trading in between (0: closed).

        Fair values move as far as they would have (at most a day's move); the next step shows every
        book at its new place. Use it over closed hours and after an outage.
        """
        to = (world_ns - self.start_ns) // STEP_NS
        return self.happen(self.event("skip", to=to, open_s=open_s)) if to > self.step_no else None

    def begin_day(self, *, night: bool = False) -> Event:
        """A new market day: last prices become previous closes, bands follow.

        night: the venue was closed in between, so news has piled up.
        """
        return self.happen(self.event("day", night=night))

    def set_mode(self, mode: str) -> Event:
        return self.happen(self.event("mode", mode=mode))

    def look_at_the_clock(self) -> None:
        self._pace = self.tempo.at(self.now_ns // NS_PER_S)

    def call(self, stock: Stock) -> None:
        """Somebody looks at it in the next step."""
        stock.next_step = self.step_no + 1
        heappush(self._queue, (stock.next_step, stock.number))

    def call_everybody(self) -> None:
        """Every book is shown in the next step."""
        for stock in self.stocks:
            stock.shown = ()
            stock.next_step = self.step_no + 1
        self.line_up()

    def line_up(self) -> None:
        self._queue = [(stock.next_step, stock.number) for stock in self.stocks]
        heapify(self._queue)

    # --- what others see ----------------------------------------------------------------------------

    def snapshot(self, received_ns: int = 0) -> list[Quote]:
        """The books as they stand now; changes nothing."""
        return [self._quote(stock, stock.book.top(DEPTH), received_ns) for stock in self.stocks]

    def references(self, market_day: int, received_ns: int = 0) -> list[Reference]:
        """Previous close and band of every instrument, for the day `market_day` (20261102)."""
        return [
            Reference(
                symbol=stock.company.symbol,
                market_day=market_day,
                previous_close=stock.previous_close,
                limit_low=stock.limit_low,
                limit_high=stock.limit_high,
                at_ns=self.now_ns,
                received_ns=received_ns,
                source=SOURCE,
            )
            for stock in self.stocks
        ]

    def history(self, symbol: str) -> dict[str, list[HistoryBar]]:
        """Past bars by interval ("1m" … "1d"), ending at the first price. See `Past.bars`."""
        return self.past.bars(symbol)

    def state(self) -> bytes:
        """Everything that `restore` needs."""
        return saved.freeze(self)

    def restore(self, state: bytes) -> None:
        """Continue from `state()` of a market with the same seed, start and hours. Raises BadState."""
        saved.thaw(self, state)

    def state_hash(self) -> str:
        """SHA-256 of `state()`, hexadecimal: equal for equal markets."""
        return hashlib.sha256(self.state()).hexdigest()

    def _print(self, stock: Stock, deal: Deal, received_ns: int) -> Print:
        self.source_seq += 1
        return Print(
            symbol=stock.company.symbol,
            price=deal.price,
            size=deal.size,
            side=deal.side,  # type: ignore[arg-type]
            at_ns=self.now_ns,
            received_ns=received_ns,
            source=SOURCE,
            source_seq=self.source_seq,
        )

    def _quote(self, stock: Stock, shown: tuple[Any, ...], received_ns: int) -> Quote:
        return Quote(
            symbol=stock.company.symbol,
            bids=shown[0],
            asks=shown[1],
            at_ns=self.now_ns,
            received_ns=received_ns,
            source=SOURCE,
            source_seq=self.source_seq,
        )


NOTHING_SHOWN: Final = ((), ())
__all__ = ["DEPTH", "SOURCE", "STEP_NS", "BadState", "SeededMarket", "encode"]


def _stock(number: int, symbol: str, opening: Opening) -> Stock:
    first = opening.stocks[symbol]
    return Stock(number, first.company, first.price, first.previous_close, first.vol_log)


def encode(ticks: Iterable[Quote | Print]) -> bytes:
    """The ticks as bytes, to compare two runs."""
    return msgspec.msgpack.encode(list(ticks))
