"""An instrument as somebody who halts it sees it."""

from __future__ import annotations

from market.models import Instrument


class Listing(Instrument):
    class Meta:
        proxy = True
        ordering = ["world", "symbol"]
        verbose_name = "instrument, to halt or resume"
        verbose_name_plural = "instruments, to halt or resume"
