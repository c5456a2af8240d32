"""What happens to a seeded market besides chance: logged before it happens, so that it can be lived again.

An event takes place after step `step` and before the next one; `n` counts them from 1. The kinds:

    skip      {to, open_s}                    no ticks up to step `to`; prices move like open_s of trading
    day       {night}                         a new market day begins
    mode      {mode}                          continuous, auction or closed
    taken     {upto, rows}                    players took: [symbol, side, price, size] from the book;
                                              `upto` numbers the exchange's last fill among them
    scenario  {kind, size_ppm, seconds, symbols}    see scenarios.py
    resume    {symbols}                       a halt ends now
    breaker   {move_ppm, within_s, halt_s}    the venue's halts from here on; a move of 0: none
    adopt     {why, prices}                   symbol → [price, previous close], from an older market
    code      {model, code}                   from here on other code decides
    end       {}                              nothing more will ever happen
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

MODES: Final = ("continuous", "auction", "closed")
KINDS: Final = ("skip", "day", "mode", "taken", "scenario", "resume", "breaker", "adopt", "code", "end")
MODEL: Final = "street-5"  # raised whenever the same seed gives other ticks


class Event(msgspec.Struct, frozen=True, array_like=True):
    n: int
    step: int
    what: str
    detail: dict[str, Any]


encode = msgspec.msgpack.Encoder(order="sorted").encode
decode = msgspec.msgpack.Decoder(Event).decode


def chained(before: bytes, event: Event) -> bytes:
    """SHA-256 over all events so far: two journals with one hash are the same journal."""
    return hashlib.sha256(before + encode(event)).digest()


@cache
def code_hash() -> str:
    """SHA-256 over the sources that decide about ticks, hexadecimal. A changed comment changes it too."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def dense(events: Iterable[Event]) -> list[Event]:
    """In order, each once. Raises ValueError when one is missing."""
    found = {event.n: event for event in events}
    ordered = [found[n] for n in sorted(found)]
    for before, after in itertools.pairwise(ordered):
        if after.n != before.n + 1:
            raise ValueError(f"event {before.n + 1} of the seeded market is missing")
    return ordered
