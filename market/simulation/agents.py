"""Who acts in one instrument: informed takers, noise takers, people who place and cancel, makers.

`act` is called when something happens in an instrument; between two calls its book stands still.
Who comes first:

1. **informed**: the fair value has left the spread, so somebody takes the stale depth up to it;
2. **noise**: somebody takes a part of the best levels. Sides cluster (`Stock.flow`: momentum) and
   lean to the fair value;
3. **patient**: somebody places or cancels a part of a level, sometimes inside the spread.

Then the makers tend the book around the fair value: they leave what has become too good for
others, keep LADDER levels a side, and close a spread that has grown beyond SPREAD_MAX. A level that
was just eaten stays empty until the next time somebody acts.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final, NamedTuple

from market.simulation.stock import FAIR_SCALE, LOT, SPREAD_MAX, Stock

LADDER: Final = 8  # levels a side that makers keep; DEPTH of them are shown
SPARED_MAX: Final = 2  # eaten levels that wait: LADDER less these is still more than is shown
KEPT: Final = 16  # in the makers' distance: deeper levels are forgotten
_INFORMED_OF_256 = 170
_NOISE_OF_256 = 95
_LEAN = 24  # of 128: how far takers lean to the fair value
_FLOW_MAX = 64


class Deal(NamedTuple):
    side: str  # of the taker
    price: int
    size: int


def act(stock: Stock, rng: Random) -> list[Deal]:
    """Somebody acts, then the makers tend the book. Returns the trades, in order."""
    levels = stock.levels
    fair = stock.fair // FAIR_SCALE
    roll = rng.getrandbits(8)
    bid, ask = levels.best_bid(), levels.best_ask()
    deals: list[Deal] = []
    if ask and fair > ask:
        if roll < _INFORMED_OF_256:
            deals = _take(stock, "buy", stock.size(rng, 600), fair)
    elif bid and fair < bid:
        if roll < _INFORMED_OF_256:
            deals = _take(stock, "sell", stock.size(rng, 600), fair)
    elif roll < _NOISE_OF_256:
        deals = _noise(stock, rng, bid, ask)
    else:
        _patience(stock, rng, bid, ask)
    tend(stock, rng, [(deal.side, deal.price) for deal in deals[:SPARED_MAX]])
    return deals


def _take(stock: Stock, side: str, size: int, limit: int) -> list[Deal]:
    fills = stock.levels.take(side, size, limit)
    if fills:
        stock.last = fills[-1][0]
        push = 12 if side == "buy" else -12
        stock.flow = min(max(stock.flow * 7 // 8 + push, -_FLOW_MAX), _FLOW_MAX)
    return [Deal(side, price, taken) for price, taken in fills]


def _noise(stock: Stock, rng: Random, bid: int, ask: int) -> list[Deal]:
    middle = (bid + ask) * FAIR_SCALE // 2
    lean = _LEAN if stock.fair > middle else -_LEAN
    side = "buy" if rng.getrandbits(8) < 128 + stock.flow + lean else "sell"
    worst = stock.limit_high if side == "buy" else stock.limit_low
    return _take(stock, side, stock.size(rng, 180), worst)


def _patience(stock: Stock, rng: Random, bid: int, ask: int) -> None:
    levels = stock.levels
    buys = bool(rng.getrandbits(1))
    side = levels.bids if buys else levels.asks
    where = rng.getrandbits(3)
    if where == 0 and bid and ask and ask - bid > 1:  # step in front of everybody
        side[bid + 1 if buys else ask - 1] = stock.size(rng, 250)
        return
    ranked = sorted(side, reverse=buys)
    if not ranked:
        return
    price = ranked[min(where, len(ranked) - 1)]
    if rng.getrandbits(3) < 5:
        side[price] += stock.size(rng, 300)
        return
    side[price] -= side[price] * (1 + rng.getrandbits(2)) // (5 * LOT) * LOT  # a part: never all of it


def tend(stock: Stock, rng: Random, eaten: Sequence[tuple[str, int]] = ()) -> None:
    """The makers' turn: the book stands around the fair value again, except at prices just `eaten`.

    eaten: (side of the taker, price), at most SPARED_MAX, so that enough levels remain.
    """
    levels = stock.levels
    spread = stock.spread()
    top_bid = (2 * stock.fair - spread * FAIR_SCALE + FAIR_SCALE) // (2 * FAIR_SCALE)
    top_ask = top_bid + spread
    step = (spread + 1) // 2
    generous = spread // 2  # others may stand this far inside the makers' prices
    far = KEPT * step
    for price in [p for p in levels.bids if not top_bid - far <= p <= top_bid + generous]:
        del levels.bids[price]
    for price in [p for p in levels.asks if not top_ask - generous <= p <= top_ask + far]:
        del levels.asks[price]
    for rung in range(LADDER):
        if ("sell", top_bid - rung * step) not in eaten:
            _offer(stock, levels.bids, top_bid - rung * step, rung, rng)
        if ("buy", top_ask + rung * step) not in eaten:
            _offer(stock, levels.asks, top_ask + rung * step, rung, rng)
    if levels.bids and levels.asks and levels.best_ask() - levels.best_bid() > SPREAD_MAX:
        _offer(stock, levels.bids, top_bid, 0, rng)
        _offer(stock, levels.asks, top_ask, 0, rng)


def _offer(stock: Stock, side: dict[int, int], price: int, rung: int, rng: Random) -> None:
    if price in side or not stock.limit_low <= price <= stock.limit_high:
        return
    side[price] = stock.size(rng, 600 + 150 * min(rung, 4))
