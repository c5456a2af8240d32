"""Every way the switches say no."""

from __future__ import annotations

from simgame.kernel.errors import Invalid, NotFound


class UnknownSwitch(NotFound):
    code = "UNKNOWN_SWITCH"
    title = "There is no such switch"


class BadSwitchValue(Invalid):
    code = "BAD_SWITCH_VALUE"
    title = "The switch cannot take this value"
