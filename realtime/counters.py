"""What the hub counts. Whole numbers since the start of the worker; `ops` shows them as metrics."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Counters:
    messages_in: int = 0
    messages_old: int = 0
    messages_unknown: int = 0
    messages_bad: int = 0
    messages_paused: int = 0  # of kinds that operators have paused
    gaps: int = 0
    frames_out: int = 0
    refreshes: int = 0
    refreshes_failed: int = 0
    snapshots_asked: int = 0
    recovered: int = 0
    not_recovered: int = 0
    bus_losses: int = 0
    pushes_held: int = 0  # frames that a slow socket did not get at once
    closed: Counter[int] = field(default_factory=Counter)  # by close code
