"""Named places where a test or a drill makes a process die, fail or dawdle.

`SIMGAME_FAILPOINTS="fp3_before_commit=kill@40,fp6_before_publish=sleep:200"`: at the place's 40th
passing the process kills itself with SIGKILL; every passing of the other waits 200 ms. Actions:
`kill`, `raise` (FailpointHit), `sleep:<ms>`; `@n` acts at the n-th passing only. Only the environment
of the process arms them, at its start. Not armed, a place costs one look into an empty dict.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass

from simgame import env

# Numbers: reliability section 5.3.
FP1_BEFORE_BEGIN = "fp1_before_begin"  # applied in memory, nothing sent
FP2_BETWEEN_INSERTS = "fp2_between_inserts"
FP3_BEFORE_COMMIT = "fp3_before_commit"
FP4_COMMIT_ANSWER = "fp4_commit_answer"  # committed, but the answer of the database is lost
FP5_BEFORE_ACK = "fp5_before_ack"
FP6_BEFORE_PUBLISH = "fp6_before_publish"
FP7_GATEWAY_SENT = "fp7_gateway_sent"  # a web worker gave a frame to its sockets, and counts it nowhere yet
FP8_IN_RECOVERY = "fp8_in_recovery"
# A batch with such a job passes its place three times: applied, before COMMIT, after COMMIT.
FP9_EXPIRY = "fp9_expiry"
FP10_CLOSE = "fp10_close"
FP11_DAY_ROLL = "fp11_day_roll"
FP12_CORPORATE_ACTION = "fp12_corporate_action"
NAMES = frozenset(value for name, value in list(globals().items()) if name.startswith("FP"))


class FailpointHit(Exception):
    """A failpoint armed with `raise` was passed."""


@dataclass
class Armed:
    action: str
    ms: int
    at: int  # 0: every passing
    passed: int = 0


def parse(text: str) -> dict[str, Armed]:
    """Raises BadSetting (ends the process) for an unknown name or action."""
    armed: dict[str, Armed] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, rest = part.partition("=")
        action, _, count = rest.partition("@")
        action, _, ms = action.partition(":")
        known = name in NAMES and action in {"kill", "raise", "sleep"}
        if not known or not (ms or "0").isdigit() or not (count or "0").isdigit():
            expected = f"<name>=kill|raise|sleep:<ms>[@n], names: {', '.join(sorted(NAMES))}"
            raise env.BadSetting("SIMGAME_FAILPOINTS", text, expected)
        armed[name] = Armed(action, int(ms or 0), int(count or 0))
    return armed


ARMED = parse(env.text("SIMGAME_FAILPOINTS"))


def passing(name: str) -> None:
    """Act if the place `name` is armed."""
    armed = ARMED.get(name)
    if armed is None:
        return
    armed.passed += 1
    if armed.at and armed.passed != armed.at:
        return
    if armed.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if armed.action == "raise":
        raise FailpointHit(name)
    time.sleep(armed.ms / 1000)
