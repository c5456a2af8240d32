"""What a source that is made of others passes on to them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from market.feed.sequence import Numbering
from market.sources.base import Source
from market.ticks import PhaseTick, Print, Quote


class Several(Source):
    """`sources` in order of preference, their names distinct."""

    numbering = Numbering.RISING

    def __init__(self, sources: Sequence[Source]):
        super().__init__()
        self.sources = list(sources)

    def on_phase(self, tick: PhaseTick) -> None:
        for source in self.sources:
            source.on_phase(tick)

    def previous_closes(self) -> dict[str, int]:
        """Where two know an instrument, the preferred one's."""
        closes: dict[str, int] = {}
        for source in reversed(self.sources):
            closes.update(source.previous_closes())
        return closes

    @property
    def keeps_history(self) -> bool:  # type: ignore[override]
        return any(source.keeps_history for source in self.sources)

    @property
    def keeps_state(self) -> bool:  # type: ignore[override]
        return any(source.keeps_state for source in self.sources)

    def save(self) -> bytes:
        return msgspec.msgpack.encode({source.name: source.save() for source in self.sources})

    def resume(self, saved: bytes, last: Quote | Print | None) -> None:
        kept = msgspec.msgpack.decode(saved, type=dict[str, bytes]) if saved else {}
        for source in self.sources:
            source.resume(kept.get(source.name, b""), last)

    def leaves(self) -> list[Source]:
        return [leaf for source in self.sources for leaf in source.leaves()]
