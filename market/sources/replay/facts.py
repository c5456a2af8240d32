"""What is known of a recording, and what every format's reader can do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec

from market.rulebook import PhaseNow
from market.sources.base import PastBar
from market.sources.items import Item


class RecordingFacts(msgspec.Struct, frozen=True):
    """What `market.worlds` makes a world of.

    instruments  field → value of market.models.Instrument, without the world
    start_ns, end_ns  play time of the first and behind the last message, in the recording's own time
    made         what the recording lacks and a stated rule makes: "depth", "way" (inside bars),
                 "milliseconds"; "hidden": dates and names are masked
    notes        sentences an operator should know: what is made up, what is left out
    """

    format: str
    slug: str  # "replay-binance-20211012"
    name: str
    recording: str  # absolute path
    currency: str
    timezone: str
    rulebook: str
    start_ns: int
    end_ns: int
    instruments: list[dict[str, Any]]
    options: dict[str, Any] = {}
    made: list[str] = []
    notes: list[str] = []
    kind: str = "replay"


class Recording(Protocol):
    """One opened recording. Play time is the recording's own time; the source maps it to the world's."""

    @property
    def facts(self) -> RecordingFacts: ...

    def play(self) -> Iterator[tuple[int, Item]]:
        """(play time, item) in order, from the beginning. Torn? A `Malformed` item says so, then it ends."""

    def phase(self, at_ns: int) -> PhaseNow | None:
        """The recorded venue's phase; None: the rulebook's hours hold."""

    def previous_closes(self) -> dict[str, int]: ...

    def history(self) -> Iterable[PastBar]: ...


class Reader(Protocol):
    """A format."""

    name: str

    def recognises(self, path: Path) -> bool: ...

    def open(self, path: Path, options: dict[str, Any]) -> Recording: ...
