"""The state of a seeded market as bytes, and back."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from market.simulation.breaker import Breaker
from market.simulation.events import MODEL
from market.simulation.scenarios import Spell, mood_of
from market.simulation.stock import Stock

if TYPE_CHECKING:
    from market.simulation.seeded import SeededMarket


class BadState(ValueError):
    """The bytes given to `restore` are no state of this market."""


def named(seed: int) -> int | str:
    """The seed as states and messages name it: one that is worth hiding, by its hash."""
    if abs(seed) < 1 << 63:
        return seed
    return "hidden " + hashlib.sha256(str(seed).encode()).hexdigest()[:16]


def freeze(market: SeededMarket) -> bytes:
    tide = market.tide
    return msgspec.msgpack.encode(
        [
            MODEL,
            named(market.seed),
            market.start_ns,
            [market.step_no, market.beats, market.source_seq, market.events, market.ticks],
            [market.taken_upto, market.next_mark, market.mode, market.ended],
            [market.journal_digest, market.ticks_digest],
            [tide.vol_log, tide.market, list(tide.sectors.values()), tide.stir],
            market.breaker,
            [stock.freeze() for stock in market.stocks],
        ]
    )


def thaw(market: SeededMarket, state: bytes) -> None:
    """Raises BadState."""
    try:
        model, seed, start_ns, *lived = msgspec.msgpack.decode(state)
    except (msgspec.DecodeError, ValueError, TypeError) as error:
        raise BadState(f"the saved state of the seeded market cannot be read: {error}") from error
    if (model, seed, start_ns) != (MODEL, named(market.seed), market.start_ns):
        raise BadState(
            f"the saved state is of model {model}, seed {seed}, start {start_ns}; this market is of"
            f" model {MODEL}, seed {named(market.seed)}, start {market.start_ns}"
        )
    counts, more, digests, tide, breaker, stocks = lived
    if [frozen[0] for frozen in stocks] != [company.symbol for company in market.companies]:
        raise BadState("the saved state is of other instruments")
    # From here it must succeed.
    market.step_no, market.beats, market.source_seq, market.events, market.ticks = counts
    market.taken_upto, market.next_mark, market.mode, market.ended = more
    market.journal_digest, market.ticks_digest = digests
    market.tide.set_volatility(tide[0])
    market.tide.market = tide[1]
    market.tide.set_stir(tide[3])
    market.breaker = Breaker(*breaker) if breaker else None
    market.tide.sectors = dict(zip(market.tide.sectors, tide[2], strict=True))
    for stock, frozen in zip(market.stocks, stocks, strict=True):
        _thaw_stock(stock, frozen, market.step_no)
    market.look_at_the_clock()
    market.line_up()


def _thaw_stock(stock: Stock, frozen: list[Any], step: int) -> None:
    _, worth, moods, day, halts, seen, spells, spared, book, shown = frozen
    stock.fair, stock.view, stock.pressure, stock.trend, stock.heat = worth
    vol_log, stir, lively = moods
    stock.last, previous_close, stock.halted_until, stock.next_step, stock.in_auction = day
    stock.seen_step, stock.seen_beats, stock.seen_market, stock.seen_sector, stock.mood_until = seen
    stock.spells = [Spell(*spell) for spell in spells]
    stock.spared = [(side, price) for side, price in spared]
    stock.mood = mood_of(stock.spells, step)[0]
    stock.set_volatility(vol_log, 0)
    stock.stir, stock.lively = stir, lively
    stock.why_halted, recent = halts
    stock.recent.thaw(recent)
    stock.open_day(previous_close)
    stock.book.thaw(book)
    stock.shown = tuple(tuple(tuple(level) for level in side) for side in shown)
