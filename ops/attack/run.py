"""The attacks one after another, and what is told of them."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Sequence
from typing import Any

from ops.attack import browsers, inputs, premises, races, sessions, staff, strangers, tokens, walls
from ops.attack.stage import Stage
from ops.attack.tally import ATTACKS, Tally
from ops.chaos.town import wait_for
from ops.drills import private
from simgame.kernel import clock
from trading.proof import progress

__all__ = ["browsers", "inputs", "premises", "races", "sessions", "staff", "strangers", "tokens", "walls"]


def numbers() -> list[str]:
    return sorted(ATTACKS, key=lambda number: int(number[1:]))


def run(chosen: Sequence[str], *, full: bool, rounds: int, seed: int) -> dict[str, Any]:
    """In a town of its own, which must have been moved to: see `private.move`."""
    with private.town("feed", "exchange", "web") as (town, world):
        wait_for(lambda: walls.listens(town.port), "the web server")
        stage = Stage(town.port, world, full=full, rounds=rounds, seed=seed, town=town)
        return carry_out(stage, chosen, seed)


def carry_out(stage: Stage, chosen: Sequence[str], seed: int) -> dict[str, Any]:
    began = clock.monotonic_s()
    told = []
    with progress.bar("Attacks", len(chosen)) as advance:
        for number in chosen:
            told.append(asyncio.run(_one(stage, number)))
            advance(1)
    breaches = sum(len(each["breaches"]) for each in told)
    return {
        "attack": told,
        "seed": seed,
        "tried": sum(each["tried"] for each in told),
        "seconds": round(clock.monotonic_s() - began, 1),
        "breaches": breaches,
    }


async def _one(stage: Stage, number: str) -> dict[str, Any]:
    attack, tally = ATTACKS[number], Tally()
    began = clock.monotonic_s()
    try:
        await attack.run(stage, tally)
    except Exception as error:  # noqa: BLE001  whatever it is, it is told
        where = traceback.extract_tb(error.__traceback__)[1:2]
        at = f" ({where[0].name}, line {where[0].lineno})" if where else ""
        tally.breaches.append(f"it could not be carried out: {type(error).__name__}: {error}"[:500] + at)
    held = not tally.breaches
    return {
        "number": number,
        "claim": attack.claim,
        "tried": tally.tried,
        "verdict": ("holds" if tally.tried else "not tried here") if held else "BROKEN",
        "seconds": round(clock.monotonic_s() - began, 1),
        "facts": tally.facts,
        "breaches": tally.breaches,
    }
