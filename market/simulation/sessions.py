"""The hours of a trading day."""

from __future__ import annotations

from typing import Final

import msgspec

DAY_S: Final = 86_400


class Sessions(msgspec.Struct, frozen=True):
    """The hours of a trading day: (start, end) in seconds of the local day."""

    spans: tuple[tuple[int, int], ...]
    weekends: bool
    night: bool  # closed at night: a day opens away from the last close

    @property
    def open_s(self) -> int:
        return sum(end - start for start, end in self.spans)


ALWAYS: Final = Sessions(spans=((0, DAY_S),), weekends=True, night=False)
VENUE: Final = Sessions(spans=((34_200, 41_400), (46_800, 54_000)), weekends=False, night=True)
