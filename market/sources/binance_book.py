"""One symbol's book, followed by update ids: spot (U, u) and futures (U, u, pu). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from market.sources.items import Gap, Item
from market.sources.ladder import Ladder
from market.ticks import Level, Quote
from simgame.kernel import money
from simgame.kernel.clock import NS_PER_MS

SPAN_MAX = 10**7  # changes in one update
BUFFERED_MAX = 10_000  # updates waiting for a snapshot


class Symbol(msgspec.Struct, frozen=True):
    name: str
    base_asset: str
    quote_asset: str
    tick_size: str
    step_size: str
    contract_size: int = 0  # quote currency per contract of an inverse future; 0: spot

    @classmethod
    def of(cls, row: dict[str, Any]) -> Symbol:
        """From a row of exchangeInfo. Raises KeyError."""
        filters = {entry["filterType"]: entry for entry in row["filters"]}
        return cls(
            row["symbol"],
            row["baseAsset"],
            row["quoteAsset"],
            filters["PRICE_FILTER"]["tickSize"],
            filters["LOT_SIZE"]["stepSize"],
            int(row.get("contractSize", 0)),
        )

    @classmethod
    def listed(cls, instrument: Any) -> Symbol:
        """From a row of market.models.Instrument."""
        tick = Decimal(instrument.tick).scaleb(-instrument.price_exponent)
        step = Decimal(1).scaleb(-instrument.qty_exponent)
        base, _, quoted = instrument.name.partition("/")
        base = base if quoted == instrument.currency else ""
        return cls(instrument.symbol, base, instrument.currency, f"{tick:f}", f"{step:f}")

    @property
    def price_exponent(self) -> int:
        return decimals(self.tick_size)

    @property
    def qty_exponent(self) -> int:
        return decimals(self.step_size)

    def price(self, value: str) -> int:
        return _scaled(value, self.price_exponent)

    def size(self, value: str) -> int:
        return _scaled(value, self.qty_exponent)

    def rounded_size(self, value: str) -> int:
        """Scaled, rounded down to what the instrument can hold."""
        return _rounded_down(value, self.qty_exponent)

    def levels(self, levels: Iterable[Sequence[str]]) -> list[Level]:
        """As `levels_of`."""
        return levels_of(levels, self.price_exponent, self.qty_exponent)

    def instrument(self, world_currency: str) -> dict[str, Any]:
        """Fields of market.models.Instrument."""
        why_not = ""
        if self.contract_size:
            why_not = "An inverse contract, settled in its coin: it can be watched, not traded"
        elif self.quote_asset != world_currency:
            why_not = f"Quoted in {self.quote_asset}; this world's money is {world_currency}"
        return {
            "symbol": self.name,
            "name": f"{self.base_asset}/{self.quote_asset}",
            "kind": "future" if self.contract_size else "crypto",
            "venue": "BINANCE",
            "board": "main",
            "currency": self.quote_asset,
            "price_exponent": self.price_exponent,
            "qty_exponent": self.qty_exponent,
            "tick": self.price(self.tick_size),
            "lot": self.size(self.step_size),
            "multiplier": self.contract_size or 1,
            "tradable": not why_not,
            "why_not_tradable": why_not,
        }


class Update(msgspec.Struct, frozen=True):
    first: int
    last: int
    before: int | None  # futures: last id of the update before
    at_ns: int
    bids: Sequence[Sequence[str]]
    asks: Sequence[Sequence[str]]

    @classmethod
    def of(cls, body: dict[str, Any]) -> Update:
        """Raises KeyError, and ValueError for numbers that would make all true ones late."""
        first, last = body["U"], body["u"]
        if type(first) is not int or type(last) is not int:
            raise ValueError(f"{first!r} to {last!r} are no numbers of an update")
        check_span(first, last)
        return cls(first, last, body.get("pu"), int(body["E"]) * NS_PER_MS, body["b"], body["a"])


def check_span(first: int, last: int) -> None:
    """Raises ValueError for numbers of an update that would make all true ones late."""
    if not 0 <= first <= last < first + SPAN_MAX:
        raise ValueError(f"{first} to {last} are no numbers of an update")


class Book:
    """Gives a Quote whenever the best DEPTH_LEVELS_MAX levels change, and a Gap when ids are missing.

    The number of a quote (`source_seq`) is the id of the update behind it; `epoch` that of its connection.
    """

    def __init__(self, symbol: Symbol, source: str, epoch: int = 0):
        self.symbol, self.source, self.epoch = symbol, source, epoch
        self._exponents = symbol.price_exponent, symbol.qty_exponent
        self.bids, self.asks = Ladder(bids=True), Ladder(bids=False)
        self.last_id = 0  # 0: no snapshot yet
        self.bridged = False  # the first update after the snapshot fitted
        self._waiting: list[Update] = []
        self._shown: tuple[tuple[Level, ...], tuple[Level, ...]] = ((), ())

    def snapshot(self, answer: dict[str, Any], received_ns: int) -> list[Item]:
        bids, asks = levels_of(answer["bids"], *self._exponents), levels_of(answer["asks"], *self._exponents)
        self.bids, self.asks = Ladder(bids, bids=True), Ladder(asks, bids=False)
        self.last_id, self.bridged = answer["lastUpdateId"], False
        items = self._show(int(answer.get("E", 0)) * NS_PER_MS or received_ns, received_ns)
        waiting, self._waiting = self._waiting, []
        for update in waiting:
            items += self.update(update, received_ns)
        return items

    def update(self, update: Update, received_ns: int) -> list[Item]:
        if not self.last_id:
            if len(self._waiting) < BUFFERED_MAX:
                self._waiting.append(update)
            return []
        if update.last < self.last_id or (update.before is None and update.last == self.last_id):
            return []  # older than the snapshot
        if not self._fits(update):
            first_missing = self.last_id + 1
            self.last_id, self._waiting = 0, [update]  # nothing is known until another snapshot
            return [Gap(self.source, self.symbol.name, update.at_ns, first_missing, update.first - 1)]
        bids, asks = levels_of(update.bids, *self._exponents), levels_of(update.asks, *self._exponents)
        # From here it must succeed.
        shows = False
        for side, levels in ((self.bids, bids), (self.asks, asks)):
            for price, size in levels:
                shows |= side.put(price, size)
        self.last_id, self.bridged = update.last, True
        return self._show(update.at_ns, received_ns) if shows else []

    def _fits(self, update: Update) -> bool:
        if update.before is not None and self.bridged:
            return update.before == self.last_id
        if self.bridged:
            return update.first == self.last_id + 1
        return update.first <= self.last_id + (update.before is None)

    def _show(self, at_ns: int, received_ns: int) -> list[Item]:
        bids, asks = shown = (self.bids.best(), self.asks.best())
        if shown == self._shown:
            return []
        self._shown = shown
        name, number = self.symbol.name, self.last_id
        return [Quote(name, bids, asks, at_ns, received_ns, self.source, self.epoch, number)]


def levels_of(levels: Iterable[Sequence[str]], prices: int, sizes: int) -> list[Level]:
    """Levels scaled by these exponents. Orders from before the venue made its tick coarser still rest far
    from the touch: a price off the tick is left out, a size is rounded down to the step.
    """
    found = []
    for price, size in levels:
        try:
            at = _scaled(price, prices)
        except money.NotExact:
            continue
        if at <= 0:
            raise ValueError("a price of nothing")
        found.append((at, _rounded_down(size, sizes)))
    return found


_scaled = lru_cache(65_536)(money.parse)  # of texts only: the prices of a day come again and again


@lru_cache(65_536)
def _rounded_down(size: str, exponent: int) -> int:
    """Raises ValueError for what is no size: "abc", "1e999999999", "-1"."""
    try:
        scaled = money.parse(size, exponent)
    except money.NotExact:
        scaled = int(Decimal(size).scaleb(exponent))
    if scaled < 0:
        raise ValueError("a size below nothing")
    return scaled


@lru_cache(1_024)
def decimals(step: str) -> int:
    """Decimals of a step: "0.00010000" → 4, "1.00000000" → 0."""
    exponent = Decimal(step).normalize().as_tuple().exponent
    return max(0, -int(exponent))
