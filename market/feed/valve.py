"""What an operator's switches do to a running feed: throttle, pause, degrade. Pure: the clock comes in.

throttle          messages a second that are taken in; what waits is the ingress policy's
paused_sources    their messages are dropped and counted; a gap at both ends tells consumers
paused_symbols    the same, of instruments
depth_off         quotes carry their best level only
conflate_ms       quotes of an instrument pass at most so often, the latest one then; prints all pass
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from market.sources.items import Gap, Item, Reached
from market.ticks import Quote
from simgame.kernel.clock import NS_PER_MS, NS_PER_S

ROOM = "feed"


class Switches(msgspec.Struct, frozen=True):
    throttle: int = 0
    paused_sources: frozenset[str] = frozenset()
    paused_symbols: frozenset[str] = frozenset()
    depth_off: bool = False
    conflate_ms: int = 0

    @classmethod
    def of(cls, values: Mapping[str, bool | int | str]) -> Switches:
        """From the rows of the switches' room (`feed.throttle` …)."""
        said = {key.removeprefix(f"{ROOM}."): value for key, value in values.items()}
        for name in ("paused_sources", "paused_symbols"):
            said[name] = frozenset(str(said.get(name, "")).replace(",", " ").split())  # type: ignore[assignment]
        return msgspec.convert(said, cls)

    def pauses(self, source: str) -> bool:
        """Is it paused, or is the account or venue that it speaks for (`nats` pauses `nats:SHFE`)?"""
        paused = self.paused_sources
        return bool(paused) and (source in paused or source.partition(":")[0] in paused)


class Valve:
    """`paused` and `conflated` count messages that did not pass; `throttled` turns that had to wait."""

    def __init__(self) -> None:
        self.switches = Switches()
        self.paused = self.conflated = self.throttled = 0
        self._allowance = 0.0  # messages
        self._filled_ns = 0
        self._held: dict[str, Quote] = {}
        self._passed_ns: dict[str, int] = {}

    def turn(self, switches: Switches, now_ns: int) -> list[Gap]:
        """From now on these hold. Returns the gaps to tell: what is paused, or speaks again."""
        before, self.switches = self.switches, switches
        self._allowance, self._filled_ns = float(switches.throttle), now_ns
        sources = before.paused_sources ^ switches.paused_sources
        symbols = before.paused_symbols ^ switches.paused_symbols
        # A source may speak for many instruments, and another for the rest: all of them may miss something.
        return [Gap(source, "", now_ns) for source in sorted(sources)] + [
            Gap("switch", symbol, now_ns) for symbol in sorted(symbols)
        ]

    # --- before the sequence: what is paused was never heard ------------------------------------------

    def room(self, most: int, now_ns: int) -> int:
        """How many messages may be taken in now."""
        rate = self.switches.throttle
        if not rate:
            return most
        grown = (now_ns - self._filled_ns) * rate / NS_PER_S
        self._allowance, self._filled_ns = min(float(rate), self._allowance + grown), now_ns
        if self._allowance < 1:
            self.throttled += 1
        room = max(0, min(most, int(self._allowance)))  # below nothing: more was taken than allowed
        self._allowance -= room
        return room

    def give_back(self, unused: int) -> None:
        if self.switches.throttle:
            self._allowance += unused

    def unpaused(self, items: list[Item]) -> list[Item]:
        switches = self.switches
        if not (switches.paused_sources or switches.paused_symbols):
            return items
        passing = [item for item in items if not self._is_paused(item)]
        self.paused += len(items) - len(passing)
        return passing

    def _is_paused(self, item: Item) -> bool:
        if isinstance(item, Reached):
            return False
        return self.switches.pauses(item.source) or item.symbol in self.switches.paused_symbols

    # --- behind the gate: sound quotes, fewer or thinner -----------------------------------------------

    @property
    def degrades(self) -> bool:
        return self.switches.depth_off or bool(self.switches.conflate_ms)

    def degraded(self, quote: Quote, now_ns: int) -> Quote | None:
        """The quote to pass on now; None: it waits until `due`, or until a newer one takes its place."""
        if self.switches.depth_off and (len(quote.bids) > 1 or len(quote.asks) > 1):
            quote = msgspec.structs.replace(quote, bids=quote.bids[:1], asks=quote.asks[:1])
        if not self.switches.conflate_ms:
            return quote
        if now_ns - self._passed_ns.get(quote.symbol, 0) < self.switches.conflate_ms * NS_PER_MS:
            self.conflated += quote.symbol in self._held
            self._held[quote.symbol] = quote
            return None
        self.conflated += self._held.pop(quote.symbol, None) is not None
        self._passed_ns[quote.symbol] = now_ns
        return quote

    def due(self, now_ns: int) -> Iterable[Quote]:
        """The quotes whose time has come (all of them, once nothing is conflated any more)."""
        edge_ns = now_ns - self.switches.conflate_ms * NS_PER_MS
        ready = [symbol for symbol in self._held if self._passed_ns.get(symbol, 0) <= edge_ns]
        for symbol in ready:
            self._passed_ns[symbol] = now_ns
        return [self._held.pop(symbol) for symbol in ready]
