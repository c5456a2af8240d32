"""The seeded market: same seed, same ticks, byte for byte. Pure: time comes in as an argument.

Steps lie on a grid of STEP_NS from `start_ns`. What comes out depends on (seed, start_ns, hours)
and on the order of `advance_to`, `skip_to` and `begin_day`, not on how often `advance_to` is called.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from market.simulation import agents, chance, factors
from market.simulation.companies import COMPANIES, SECTORS_ZH
from market.simulation.factors import Factors, Move
from market.simulation.history import ALWAYS, HistoryBar, Opening, Past, Sessions
from market.simulation.stock import LOT, Stock
from market.ticks import Print, Quote, Reference

SOURCE: Final = "seeded"
STEP_NS: Final = 250_000_000
STEPS_PER_S: Final = 4
DEPTH: Final = 5  # levels shown a side
STATE_VERSION: Final = 2
NIGHT_PART: Final = 10  # a night moves fair values like a tenth of a trading day


# What happened besides steps: ("skip", from step, to step, open seconds) or ("day", step, step, night).
Entry = tuple[str, int, int, int]


class Listing(msgspec.Struct, frozen=True):
    """An instrument as it enters the world. Prices are scaled by 10**price_exponent."""

    symbol: str
    name: str
    name_zh: str
    sector: str
    sector_zh: str
    price: int  # the first fair value, at start_ns
    previous_close: int  # of the day before start_ns
    price_exponent: int = 2
    qty_exponent: int = 0
    tick: int = 1
    lot: int = LOT


class BadState(ValueError):
    """The bytes given to `restore` are no state of this market."""


class SeededMarket:
    """A market of invented companies.

    seed      any whole number
    start_ns  world time of step 0; rounded down to STEP_NS
    sessions  the hours of a trading day, for the pace of prices and the shape of past bars
    journal   what else happened: see Entry; with it a market can be lived again (`relive`)
    utc_offset_s  where the world's day begins, in seconds east of UTC
    """

    def __init__(self, seed: int, start_ns: int, sessions: Sessions = ALWAYS, utc_offset_s: int = 0):
        self.seed = seed
        self.start_ns = start_ns // STEP_NS * STEP_NS
        self.step_no = 0
        self.sessions = sessions
        self.past = Past(seed, self.start_ns, sessions, utc_offset_s)
        self.journal: list[Entry] = []
        self._source_seq = 0
        self._rng = chance.source(seed, "steps", self.start_ns)
        day_steps = sessions.open_s * STEPS_PER_S
        self._move = Move(1, day_steps)
        self._steps_per_vol = max(day_steps // factors.VOL_UPDATES_PER_DAY, 1)
        opening = self.past.opening()
        self._factors = Factors(opening.market_vol_log)
        self._stocks = [_stock(company.symbol, opening) for company in COMPANIES]
        self.instruments = tuple(_listing(stock) for stock in self._stocks)
        for stock in self._stocks:
            agents.tend(stock, self._rng)

    @property
    def now_ns(self) -> int:
        """World time of the last step."""
        return self.start_ns + self.step_no * STEP_NS

    def advance_to(self, world_ns: int, received_ns: int = 0) -> list[Quote | Print]:
        """Run every step up to and including `world_ns`; the ticks in the order they happened.

        The first step also shows every book once. `received_ns` is copied into the ticks and
        changes nothing else. A time in the past gives nothing.
        """
        ticks: list[Quote | Print] = []
        while self.now_ns + STEP_NS <= world_ns:
            self._step(ticks, received_ns)
        return ticks

    def skip_to(self, world_ns: int, open_s: int) -> None:
        """Jump to `world_ns` without ticks, with `open_s` seconds of trading in between (0: closed).

        Fair values move as far as they would have (at most a day's move); the next step shows every
        book at its new place. Use it over closed hours and after an outage.
        """
        steps = (world_ns - self.now_ns) // STEP_NS
        if steps <= 0:
            return
        self.journal.append(("skip", self.step_no, self.step_no + steps, open_s))
        self.step_no += steps
        self._leap(Move(min(max(open_s, 0), self.sessions.open_s), self.sessions.open_s))

    def begin_day(self, *, night: bool = False) -> None:
        """A new market day: last prices become previous closes, bands follow.

        night: the venue was closed in between, so news has piled up.
        """
        self.journal.append(("day", self.step_no, self.step_no, int(night)))
        for stock in self._stocks:
            stock.open_day(stock.last)
        self._leap(Move(1 if night else 0, NIGHT_PART))

    def relive(self, journal: Iterable[Entry], step_no: int) -> None:
        """From step 0: what another market of this seed, start and hours lived through, up to `step_no`."""
        for what, before, after, detail in journal:
            self.advance_to(self.start_ns + before * STEP_NS)
            if what == "skip":
                self.skip_to(self.start_ns + after * STEP_NS, detail)
            else:
                self.begin_day(night=bool(detail))
        self.advance_to(self.start_ns + step_no * STEP_NS)

    def snapshot(self, received_ns: int = 0) -> list[Quote]:
        """The books as they stand now; changes nothing."""
        return [self._quote(stock, stock.levels.top(DEPTH), received_ns) for stock in self._stocks]

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
            for stock in self._stocks
        ]

    def history(self, symbol: str) -> dict[str, list[HistoryBar]]:
        """Past bars by interval ("1m" … "1d"), ending at the first price. See `Past.bars`."""
        return self.past.bars(symbol)

    def state(self) -> bytes:
        """Everything that `restore` needs; about 20 kB."""
        return msgspec.msgpack.encode(
            [
                STATE_VERSION,
                self.seed,
                self.start_ns,
                self.step_no,
                self._source_seq,
                self.journal,
                self._factors.vol_log,
                [stock.freeze() for stock in self._stocks],
                self._rng.getstate(),
            ]
        )

    def restore(self, state: bytes) -> None:
        """Continue from `state()` of a market with the same seed, start and hours. Raises BadState."""
        try:
            version, seed, start_ns, *lived = msgspec.msgpack.decode(state)
            step_no, source_seq, journal, vol_log, stocks, chances = lived
        except (msgspec.DecodeError, ValueError, TypeError) as error:
            raise BadState(f"the saved state of the seeded market cannot be read: {error}") from error
        if (version, seed, start_ns) != (STATE_VERSION, self.seed, self.start_ns):
            raise BadState(
                f"the saved state is of version {version}, seed {seed}, start {start_ns}; this market is of"
                f" version {STATE_VERSION}, seed {self.seed}, start {self.start_ns}"
            )
        if [frozen[0] for frozen in stocks] != [company.symbol for company in COMPANIES]:
            raise BadState("the saved state is of other instruments")
        # From here it must succeed.
        self.step_no, self._source_seq = step_no, source_seq
        self.journal = [(what, before, after, detail) for what, before, after, detail in journal]
        self._factors.set_volatility(vol_log)
        for stock, frozen in zip(self._stocks, stocks, strict=True):
            stock.thaw(frozen, DEPTH)
        self._rng.setstate((chances[0], tuple(chances[1]), chances[2]))

    def state_hash(self) -> str:
        """SHA-256 of `state()`, hexadecimal: equal for equal markets."""
        return hashlib.sha256(self.state()).hexdigest()

    def _step(self, ticks: list[Quote | Print], received_ns: int) -> None:
        rng = self._rng
        self.step_no += 1
        if self.step_no % self._steps_per_vol == 0:
            self._age_volatility()
        drawn = self._factors.draw(self._move, rng)
        for stock in self._stocks:
            stock.move(factors.of(stock.company, drawn, self._move, stock.volatility, rng))
            if stock.shown and rng.getrandbits(16) >= stock.acts_of_65536:
                continue
            deals = agents.act(stock, rng) if stock.shown else []
            ticks += [self._print(stock, deal, received_ns) for deal in deals]
            shown = stock.levels.top(DEPTH)
            if shown != stock.shown:
                stock.shown = shown
                self._source_seq += 1
                ticks.append(self._quote(stock, shown, received_ns))

    def _age_volatility(self) -> None:
        aged = factors.vol_after_update
        self._factors.set_volatility(aged(self._factors.vol_log, self._rng))
        for stock in self._stocks:
            stock.set_volatility(aged(stock.vol_log, self._rng))

    def _leap(self, move: Move) -> None:
        drawn = self._factors.draw(move, self._rng)
        for stock in self._stocks:
            stock.move(factors.of(stock.company, drawn, move, stock.volatility, self._rng))
            agents.tend(stock, self._rng)
            stock.shown = ()

    def _print(self, stock: Stock, deal: agents.Deal, received_ns: int) -> Print:
        self._source_seq += 1
        return Print(
            symbol=stock.company.symbol,
            price=deal.price,
            size=deal.size,
            side=deal.side,  # type: ignore[arg-type]
            at_ns=self.now_ns,
            received_ns=received_ns,
            source=SOURCE,
            source_seq=self._source_seq,
        )

    def _quote(self, stock: Stock, shown: tuple[Any, ...], received_ns: int) -> Quote:
        return Quote(
            symbol=stock.company.symbol,
            bids=shown[0],
            asks=shown[1],
            at_ns=self.now_ns,
            received_ns=received_ns,
            source=SOURCE,
            source_seq=self._source_seq,
        )


def _stock(symbol: str, opening: Opening) -> Stock:
    first = opening.stocks[symbol]
    return Stock(first.company, first.price, first.previous_close, first.vol_log)


def _listing(stock: Stock) -> Listing:
    company = stock.company
    return Listing(
        symbol=company.symbol,
        name=company.name,
        name_zh=company.name_zh,
        sector=company.sector,
        sector_zh=SECTORS_ZH[company.sector],
        price=stock.last,
        previous_close=stock.previous_close,
    )


def encode(ticks: Iterable[Quote | Print]) -> bytes:
    """The ticks as bytes, to compare two runs."""
    return msgspec.msgpack.encode(list(ticks))
