"""The attacks one after another, and what is told of them."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from ops.attack import browsers, inputs, premises, races, sessions, staff, strangers, tokens, walls
from ops.attack.stage import Stage, in_thread, listens
from ops.attack.tally import ATTACKS, Tally
from ops.chaos.town import wait_for
from ops.drills import private
from simgame.kernel import clock

__all__ = ["browsers", "inputs", "premises", "races", "sessions", "staff", "strangers", "tokens", "walls"]

CUT_SHORT = "CUT SHORT"  # its time was over: what it tried held, and it has not passed


def numbers() -> list[str]:
    return sorted(ATTACKS, key=lambda number: int(number[1:]))


def run(chosen: Sequence[str], *, full: bool, rounds: int, seed: int) -> dict[str, Any]:
    """In a town of its own, which must have been moved to: see `private.move`."""
    with private.town("feed", "exchange", "web") as (town, world):
        wait_for(lambda: listens(town.port), "the web server")
        stage = Stage(town.port, world, full=full, rounds=rounds, seed=seed, town=town)
        return carry_out(stage, chosen, seed)


def carry_out(stage: Stage, chosen: Sequence[str], seed: int) -> dict[str, Any]:
    began = clock.monotonic_s()
    told = []
    for done, number in enumerate(chosen, 1):
        told.append(asyncio.run(_one(stage, number)))
        _say(told[-1], done, len(chosen), clock.monotonic_s() - began)
    return {
        "attack": told,
        "seed": seed,
        "tried": sum(each["tried"] for each in told),
        "seconds": round(clock.monotonic_s() - began, 1),
        "breaches": sum(len(each["breaches"]) for each in told),
        "cut_short": [each["number"] for each in told if each["verdict"] == CUT_SHORT],
    }


def _say(one: dict[str, Any], done: int, of: int, seconds: float) -> None:
    left = f", about {seconds / done * (of - done):,.0f} s left" if done < of else ""
    sys.stderr.write(f"{one['number']} {one['verdict']}: {one['tried']:,} in {one['seconds']} s; "
                     f"{done} of {of} attacks{left}\n")  # fmt: skip
    sys.stderr.flush()


async def _one(stage: Stage, number: str) -> dict[str, Any]:
    attack, tally = ATTACKS[number], Tally()
    began, verdict, stage.number = clock.monotonic_s(), "", number
    try:
        await in_thread(stage.renew)()
        async with asyncio.timeout(attack.limit_s) as limit:
            await attack.run(stage, tally)
    except Exception as error:  # noqa: BLE001  whatever it is, it is told
        if isinstance(error, TimeoutError) and limit.expired():
            verdict = CUT_SHORT
        else:
            where = traceback.extract_tb(error.__traceback__)[1:2]
            at = f" ({where[0].name}, line {where[0].lineno})" if where else ""
            tally.breaches.append(f"it could not be carried out: {type(error).__name__}: {error}"[:500] + at)
    if tally.breaches:
        verdict = "BROKEN"
    return {
        "number": number,
        "claim": attack.claim,
        "tried": tally.tried,
        "verdict": verdict or ("holds" if tally.tried else "not tried here"),
        "seconds": round(clock.monotonic_s() - began, 1),
        "limit_s": attack.limit_s,
        "facts": tally.facts,
        "breaches": tally.breaches,
    }
