"""What the engine heard without answering: ticks, rules and phases that changed no row.

They decide what comes later (which depth is displayed, which phase it is), so the journal keeps them:
they wait here and are written in the transaction of the next command, or once HEARD_MAX of them wait.
What is lost with a crash before that decided nothing that was stored.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from market.ticks import PhaseTick, Print, Quote, Tick
from trading.engine.commands import SetRules
from trading.engine.state import Clock, State

HEARD_MAX = 2_048  # written without waiting for a command: a page of some 100 kB at most
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[int, int, msgspec.Raw]]).decode
_decode_tick = msgspec.msgpack.Decoder(Tick).decode
_decode_rules = msgspec.msgpack.Decoder(SetRules).decode


class Entry(NamedTuple):
    """One thing heard: applied with `seq`, the number of the next command, at engine time `at_ns`."""

    seq: int
    at_ns: int
    said: Any  # a Tick, or SetRules


class Heard:
    """In order of application. One per life of the books."""

    def __init__(self) -> None:
        self._entries: dict[Any, Entry] = {}  # by what replaces it, else by a number of its own
        self._n = 0

    def __len__(self) -> int:
        return len(self._entries)

    def key_of(self, state: State, seq: int, said: Any) -> Any:
        """Ask before applying it: entries of one key give way to the newest of them.

        That is exact where no order stands in the instrument, nothing of its depth is used up and no margin
        portfolio is looked at when its mark moves: then a quote or print decides nothing but where the next
        one starts from. While there is a margin call the clock itself decides.
        """
        kind = type(said)
        if kind is PhaseTick:
            clock = Clock(said.phase, said.span, said.paused)
            same = (said.market_day, clock) == (state.market_day, state.clock)
            return (seq, kind) if same and not state.called else None
        if kind is not Quote and kind is not Print:
            return None
        market = state.markets.get(said.symbol)
        if market is None:
            return None
        bids, asks = market.bids, market.asks
        busy = bids.book or asks.book or market.aside or market.stops or bids.taken or asks.taken
        busy = busy or market.holders or state.rates.has(market)
        return None if busy else (seq, kind, said.symbol)

    def add(self, key: Any, entry: Entry) -> None:
        if key is not None:
            before = self._entries.get(key)
            if before is not None and before.said.at_ns <= entry.said.at_ns:  # else it set the clock
                del self._entries[key]
            elif before is not None:
                key = None
        if key is None:
            self._n += 1
            key = self._n
        self._entries[key] = entry

    def take(self) -> list[Entry]:
        """All that waits; it waits no more."""
        taken = list(self._entries.values())
        self._entries.clear()
        return taken


def page_of(entries: list[Entry]) -> bytes:
    return zlib.compress(_encode(entries), 1)


def entries_of(page: bytes) -> Iterator[Entry]:
    """Raises msgspec.DecodeError and zlib.error for what no exchange wrote."""
    for seq, at_ns, raw in _decode(zlib.decompress(page)):
        said = (
            _decode_tick(raw) if bytes(raw)[0] & 0xF0 == 0x90 or bytes(raw)[0] == 0xDC else _decode_rules(raw)
        )
        yield Entry(seq, at_ns, said)
