"""The jobs of a market day that must happen once: which failpoints a batch passes for them. Pure."""

from __future__ import annotations

from typing import Any

from market.rulebook.rules import Phase
from market.ticks import PhaseTick
from simgame.kernel import failpoints
from trading.engine.commands import CorporateAction, Correct, ExerciseRights, SettleAction
from trading.engine.events import Event, OrderRow, PositionRow

CORPORATE_ACTIONS = (CorporateAction, SettleAction, ExerciseRights, Correct)


def of(command: Any, events: list[Event]) -> list[str]:
    """What of an expiry, a close, a roll or a corporate action the command did."""
    jobs = []
    if any(isinstance(event, OrderRow) and event.exec_type == "expired" for event in events):
        jobs.append(failpoints.FP9_EXPIRY)
    if isinstance(command, PhaseTick):
        if command.phase == Phase.CLOSED:
            jobs.append(failpoints.FP10_CLOSE)
        if any(isinstance(event, PositionRow) for event in events):
            jobs.append(failpoints.FP11_DAY_ROLL)
    if isinstance(command, CORPORATE_ACTIONS):
        jobs.append(failpoints.FP12_CORPORATE_ACTION)
    return jobs
