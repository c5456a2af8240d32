"""What each kind of event (events.py) does to the market. It shows nothing: the next step does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from market.simulation import agents, chance, factors
from market.simulation.breaker import Breaker
from market.simulation.events import MODES
from market.simulation.factors import Factors, Move
from market.simulation.scenarios import STEPS_PER_S, Asked, spells_of
from market.simulation.stock import Stock

if TYPE_CHECKING:
    from market.simulation.seeded import SeededMarket

NIGHT_PART: Final = 6  # a night moves fair values like a sixth of a trading day
FIRST_ORDERS: Final = 12  # in each auction, before its first second has passed
_LEAPS, _AUCTIONS = (1 << 32) + 3, (1 << 33)


def skip(market: SeededMarket, to: int, open_s: int) -> None:
    market.step_no = to
    market.look_at_the_clock()
    open_s = min(max(open_s, 0), market.sessions.open_s)
    if open_s:
        grow_older(market, open_s * factors.VOL_UPDATES_PER_DAY // market.sessions.open_s)
    leap(market, Move(open_s, market.sessions.open_s))
    market.call_everybody()


def day(market: SeededMarket, night: bool) -> None:
    for stock in market.stocks:
        stock.open_day(stock.last)
        if night:
            stock.book.keep(0, 0)
    leap(market, Move(1 if night else 0, NIGHT_PART))
    market.call_everybody()


def grow_older(market: SeededMarket, updates: int) -> None:
    """Volatilities drift, and companies have news, as in so many updates of `SeededMarket`."""
    dice = chance.Dice(market.key, _LEAPS + 1, market.events)
    for _ in range(updates):
        market.tide.set_volatility(factors.vol_after_update(market.tide.vol_log, dice))
    for stock in market.stocks:
        for _ in range(updates):
            stock.set_volatility(factors.vol_after_update(stock.vol_log, dice), market.tide.stir)
            if news := factors.jump(dice):
                stock.move(news)


def leap(market: SeededMarket, move: Move) -> None:
    dice = chance.Dice(market.key, _LEAPS, market.events)
    drawn = Factors(market.tide.vol_log).draw(move, dice)
    for stock in market.stocks:
        stock.move(factors.of(stock.company, drawn, move, stock.volatility, dice))
        stock.view = stock.fair
        stock.pressure = stock.trend = stock.heat = 0
        stock.look(market.step_no, market.beats, market.tide)


def mode(market: SeededMarket, mode: str) -> None:
    if mode not in MODES:
        raise ValueError(f"there is no mode {mode!r}")
    begins = mode == "auction" != market.mode
    market.mode = mode
    for stock in market.stocks:
        if begins:
            collect(market, stock)
    market.call_everybody()


def collect(market: SeededMarket, stock: Stock) -> None:
    """Its auction begins."""
    stock.in_auction = True
    agents.begin_auction(stock)
    stock.recent.forget()
    dice = chance.Dice(market.key, _AUCTIONS + stock.number, market.step_no)
    for _ in range(FIRST_ORDERS):
        agents.bid_in_auction(stock, market.step_no, dice)


def halt(market: SeededMarket, stock: Stock, seconds: int, why: str) -> None:
    """Nothing trades in it; at the end an auction reopens it."""
    stock.halted_until, stock.why_halted = market.step_no + seconds * STEPS_PER_S, why
    stock.recent.forget()
    if not stock.in_auction:
        collect(market, stock)


def breaker(market: SeededMarket, move_ppm: int, within_s: int, halt_s: int) -> None:
    market.breaker = Breaker(move_ppm, within_s, halt_s) if move_ppm else None
    for stock in market.stocks:
        stock.recent.forget()


def taken(market: SeededMarket, upto: int, rows: list[list[Any]]) -> None:
    market.taken_upto = max(market.taken_upto, upto)
    for symbol, side, price, size in rows:
        stock = market.by_symbol[symbol]
        stock.book.take_at(side, price, size)
        stock.press(side, size)
        if price in (stock.book.asks if side == "buy" else stock.book.bids):
            stock.book.cancel_level(price, buys=side == "sell")  # what is left of it goes, and comes anew
        stock.spared.append((side, price))
        stock.shown = ()
        market.call(stock)


def scenario(market: SeededMarket, kind: str, size_ppm: int, seconds: int, symbols: list[str]) -> None:
    for symbol in symbols or list(market.by_symbol):
        stock = market.by_symbol[symbol]
        if kind == "halt":
            halt(market, stock, seconds, "scenario")
        beta_ppm = 10**6 if symbols else stock.company.beta_ppm
        stock.spells += spells_of(Asked(kind, size_ppm, seconds), market.step_no, beta_ppm)
        stock.mood_until = market.step_no + 1
        market.call(stock)


def resume(market: SeededMarket, symbols: list[str]) -> None:
    for stock in [market.by_symbol[symbol] for symbol in symbols] or market.stocks:
        if stock.halted_until:
            stock.halted_until = market.step_no + 1
            market.call(stock)


def adopt(market: SeededMarket, why: str, prices: dict[str, list[int]]) -> None:
    for symbol, (price, previous_close) in prices.items():
        if symbol in market.by_symbol:
            market.by_symbol[symbol].take_over(price, previous_close)
    market.call_everybody()


def code(market: SeededMarket, model: str, code: str) -> None:
    """Said for whoever verifies; nothing changes."""


def end(market: SeededMarket) -> None:
    market.ended = True


HAPPENS: Final[dict[str, Callable[..., None]]] = {
    "skip": skip,
    "day": day,
    "mode": mode,
    "taken": taken,
    "scenario": scenario,
    "resume": resume,
    "breaker": breaker,
    "adopt": adopt,
    "code": code,
    "end": end,
}
