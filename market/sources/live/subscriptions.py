"""What we want of a venue, and what it has acknowledged: two sets that are never mixed up.

A disconnect empties the acknowledged set only; the wanted one is asked for again after the login.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice


class Subscriptions:
    def __init__(self, wanted: Iterable[str] = ()):
        self.wanted: dict[str, None] = dict.fromkeys(wanted)  # in the order in which they were wanted
        self.acknowledged: set[str] = set()
        self.refused: dict[str, str] = {}  # symbol → the venue's code and words
        self.heard_ns: dict[str, int] = {}  # symbol → wall time of its last message
        self._asked: dict[str, float] = {}  # symbol → monotonic seconds

    def want(self, symbols: Iterable[str]) -> list[str]:
        """Those of `symbols` that were not wanted before."""
        new = [symbol for symbol in dict.fromkeys(symbols) if symbol not in self.wanted]
        self.wanted.update(dict.fromkeys(new))
        return new

    def unwant(self, symbols: Iterable[str]) -> list[str]:
        """Those of `symbols` that were wanted: no later reconnect brings them back."""
        gone = [symbol for symbol in dict.fromkeys(symbols) if symbol in self.wanted]
        for symbol in gone:
            del self.wanted[symbol]
            self.acknowledged.discard(symbol)
            self.refused.pop(symbol, None)
            self.heard_ns.pop(symbol, None)
            self._asked.pop(symbol, None)
        return gone

    def lost(self) -> None:
        """The connection is gone: nothing is acknowledged any more, and a refusal may be over."""
        self.acknowledged.clear()
        self.refused.clear()
        self._asked.clear()

    def asked(self, symbols: Iterable[str], at_s: float) -> None:
        self._asked.update(dict.fromkeys(symbols, at_s))

    def acknowledge(self, symbols: Iterable[str]) -> None:
        for symbol in symbols:
            if symbol in self.wanted:
                self.acknowledged.add(symbol)
                self.refused.pop(symbol, None)
                self._asked.pop(symbol, None)

    def forget(self, symbols: Iterable[str]) -> None:
        """They must be asked for again on the same connection."""
        for symbol in symbols:
            self.acknowledged.discard(symbol)
            self.refused.pop(symbol, None)
            self._asked.pop(symbol, None)

    def refuse(self, symbols: Iterable[str], why: str) -> None:
        for symbol in symbols:
            if symbol in self.wanted:
                self.refused[symbol] = why
                self._asked.pop(symbol, None)

    def heard(self, symbols: Iterable[str], at_ns: int) -> None:
        self.heard_ns.update(dict.fromkeys(symbols, at_ns))

    @property
    def missing(self) -> list[str]:
        """Wanted, neither acknowledged nor refused."""
        return [s for s in self.wanted if s not in self.acknowledged and s not in self.refused]

    def to_ask(self, now_s: float, patience_s: float) -> list[str]:
        """What is missing and was not asked for within the last `patience_s` seconds."""
        return [s for s in self.missing if now_s - self._asked.get(s, -1e18) >= patience_s]

    @property
    def share(self) -> float:
        """Acknowledged share of what is wanted, 0 to 1; 1 when nothing is wanted."""
        return len(self.acknowledged) / len(self.wanted) if self.wanted else 1.0


def batches(symbols: Iterable[str], size: int) -> Iterator[list[str]]:
    """Lists of at most `size` symbols, in order."""
    rest = iter(symbols)
    while batch := list(islice(rest, size)):
        yield batch
