"""Is there a difference in time that tells something? Welch's t-test over interleaved samples."""

from __future__ import annotations

import math
import statistics
from collections.abc import Awaitable, Callable

from ops.attack.stage import Stage
from ops.attack.tally import Tally
from simgame.kernel import clock

T_MAX = 4.5  # beyond it chance is out of the question: the limit of test vector leakage assessment (TVLA)
KEPT = 0.8  # of the samples, the quickest: what a busy machine adds is no secret of ours
AGAIN = 3  # a difference counts when it comes again each time, in the same direction


async def same(
    stage: Stage,
    tally: Tally,
    what: str,
    one: Callable[[], Awaitable[object]],
    other: Callable[[], Awaitable[object]],
    samples: int,
) -> None:
    """A breach when `one` takes another time than `other`, again and again."""
    found: list[float] = []
    for _ in range(AGAIN):
        found.append(await _t(stage, one, other, samples))
        if abs(found[-1]) < T_MAX:
            break
    alike = abs(found[-1]) < T_MAX or len({value > 0 for value in found}) > 1
    tally.expect(alike, f"{what}: the time tells it, t = {', '.join(f'{value:.1f}' for value in found)}")
    tally.facts[f"t {what}"] = round(found[-1], 2)


async def _t(
    stage: Stage, one: Callable[[], Awaitable[object]], other: Callable[[], Awaitable[object]], samples: int
) -> float:
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(samples):
        order = [0, 1] if stage.chance.random() < 0.5 else [1, 0]
        for index in order:
            began = clock.monotonic_s()
            await (one, other)[index]()
            times[index].append(clock.monotonic_s() - began)
    first, second = (sorted(each)[: int(len(each) * KEPT)] for each in times)
    spread = statistics.variance(first) / len(first) + statistics.variance(second) / len(second)
    return (statistics.mean(first) - statistics.mean(second)) / math.sqrt(spread or 1e-18)
