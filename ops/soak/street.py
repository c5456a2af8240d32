"""The market that a venue of drills tells of: books that change, trades, every message numbered. Pure.

Message n speaks of instrument n mod count; of ten messages of an instrument eight change one level of its
shown book and two are trades. So every number between the first and the last is a message that was sent, and
whoever misses one can be told exactly which.
"""

from __future__ import annotations

import random
from typing import Any, NamedTuple

LEVELS = 10  # a side: what we carry
MOVE_EVERY = 40  # changes of a book until its price moves by a tick
NEW_SIZE = 2_000  # of a level that was not there: more than any change gives
FIRST_QUOTE, FIRST_TRADE = 100, 1_000  # numbers of what was before anybody listened
TURN = 10
TRADES_OF_A_TURN = (4, 9)


class Change(NamedTuple):
    """Absolute sizes of some levels (0 removes), prices in cents."""

    number: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]


class Trade(NamedTuple):
    number: int
    price: int
    size: int
    sold: bool  # the taker sold


class Instrument:
    """Ten levels a side around an empty middle, one cent apart."""

    def __init__(self, symbol: str):
        self.symbol = symbol
        self.chance = random.Random(symbol)
        self.start = self.middle = self.chance.randrange(5_000, 50_000)
        self.quote, self.trade = FIRST_QUOTE, FIRST_TRADE
        self.bids = {self.middle - n: NEW_SIZE for n in range(1, LEVELS + 1)}
        self.asks = {self.middle + n: NEW_SIZE for n in range(1, LEVELS + 1)}
        self.turn = 0

    def next(self) -> Change | Trade:
        self.turn += 1
        return self._trade() if self.turn % TURN in TRADES_OF_A_TURN else self._change()

    def _change(self) -> Change:
        self.quote = number = self.quote + 1
        if number % MOVE_EVERY == 0:
            return self._move(number)
        size = 1 + number % 499 * 2 + (number // 499) % 2  # never what stood there before
        far = 1 + number % LEVELS
        if number & 1:
            self.bids[self.middle - far] = size
            return Change(number, [(self.middle - far, size)], [])
        self.asks[self.middle + far] = size
        return Change(number, [], [(self.middle + far, size)])

    def _move(self, number: int) -> Change:
        """The middle goes one cent up or down, and stays near where it began."""
        edge = self.start // 10
        up = self.chance.random() < 0.5
        if abs(self.middle - self.start) > edge:
            up = self.middle < self.start
        step, middle = (1 if up else -1), self.middle
        left, followed = (self.asks, self.bids) if up else (self.bids, self.asks)
        gone, new = middle + step, middle + step * (LEVELS + 1)
        del left[gone]
        left[new] = NEW_SIZE
        last = middle - step * LEVELS
        del followed[last]
        followed[middle] = NEW_SIZE
        self.middle += step
        changed = [(gone, 0), (new, NEW_SIZE)], [(last, 0), (middle, NEW_SIZE)]
        return Change(number, changed[up], changed[not up])

    def _trade(self) -> Trade:
        self.trade = number = self.trade + 1
        sold = bool(number % 3)
        return Trade(number, self.middle + (-1 if sold else 1), 1 + number % 997, sold)

    def levels(self, side: str) -> list[list[str]]:
        """The whole side, best level first, as venues write it."""
        rows = sorted(self.bids.items(), reverse=True) if side == "b" else sorted(self.asks.items())
        return [[money(price), str(size)] for price, size in rows]


class Market:
    def __init__(self, symbols: list[str]):
        self.instruments = [Instrument(symbol) for symbol in symbols]
        self.named = {one.symbol: one for one in self.instruments}
        self.sent = 0

    def next(self) -> tuple[int, Change | Trade]:
        """The place of an instrument, and what happens to it now."""
        place = self.sent % len(self.instruments)
        self.sent += 1
        return place, self.instruments[place].next()

    def heads(self) -> dict[str, list[int]]:
        """Per symbol the numbers of the last change and the last trade."""
        return {one.symbol: [one.quote, one.trade] for one in self.instruments}


def symbols(count: int) -> list[str]:
    return [f"COIN{n:03d}USDT" for n in range(count)]


def money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def listed(symbol: str) -> dict[str, Any]:
    """A row of Binance's exchangeInfo."""
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "stepSize": "1.00000000"},
    ]
    return {
        "symbol": symbol,
        "baseAsset": symbol.removesuffix("USDT"),
        "quoteAsset": "USDT",
        "filters": filters,
    }
