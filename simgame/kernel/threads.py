"""Threads beside an event loop that others wait for."""

from __future__ import annotations

import sys

HANDOVER_S = 0.000_5  # Python's own is 5 ms


def hand_over_soon() -> None:
    """From now on no thread keeps the interpreter for longer than this while another one wants it."""
    sys.setswitchinterval(HANDOVER_S)
