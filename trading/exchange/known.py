"""Which keys were used before: certainly not, or perhaps. Then the journal is asked.

A Bloom filter: four bits per key in a table that has 16 bits for each, so that of keys never used one in
four hundred is looked up in vain. It knows the keys of this life at once; those of the journal come
little by little after a recovery, and until the last has come every key counts as perhaps used. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from trading.exchange.idempotency import Key

BITS_PER_KEY, PROBES = 16, 4
KEYS_LEAST = 1 << 18  # half a megabyte
ROOM = 2  # for so many times the keys that the journal has at the start


class KnownKeys:
    def __init__(self, in_journal: int):
        """`in_journal`: about how many keys will come with `load`."""
        self.complete = False  # everything that the journal holds has come
        bits = 1 << (max(in_journal * ROOM, KEYS_LEAST) * BITS_PER_KEY - 1).bit_length()
        self._mask = bits - 1
        self._bits = bytearray(bits >> 3)

    def add(self, key: Key) -> None:
        bits = self._bits
        for place in self._places(key):
            bits[place >> 3] |= 1 << (place & 7)

    def load(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self.add(key)

    def may_have(self, key: Key) -> bool:
        """False: nobody has used it."""
        bits = self._bits
        return not self.complete or all(bits[place >> 3] & 1 << (place & 7) for place in self._places(key))

    def _places(self, key: Key) -> tuple[int, ...]:
        """Double hashing (Kirsch, Mitzenmacher 2006), on the hash that Python keeps for dictionaries."""
        found = hash(key)
        step, mask = found >> 31 | 1, self._mask
        return found & mask, found + step & mask, found + 2 * step & mask, found + 3 * step & mask
