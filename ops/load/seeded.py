"""Cost of the seeded market by the number of its instruments, each size in a process of its own.

Driven through the source, as the feed drives it: every 250 ms of world time it is asked for what is due. By
the thread's clock; nobody reads the ticks, so it is the market alone.
"""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import ArgumentParser
from typing import Any

from market.sources.seeded import SeededSource
from ops.load import growth, processes
from ops.load.bench import Report, Say, machine, positive
from simgame.kernel.clock import NS_PER_S

HELP = "Ticks a second and core of the seeded market, and its cost by the number of instruments."
SIZES = (10, 30, 100, 300, 1_000, 5_000)
SEED, START_NS = 20_261_101, 1_793_000_000 * NS_PER_S
STEP_NS = NS_PER_S // 4
WARM_STEPS = 40  # ten seconds: the first step shows every book at once


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--seconds", type=positive, default=2.0, help="of processor time, for each size")


def run(options: dict[str, Any], say: Say) -> Report:
    began, before, rows = time.perf_counter(), machine(), []
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "simgame.settings"}
    for count in SIZES:
        question = {"instruments": count, "seconds": options["seconds"]}
        rows.append(processes.asked("ops.load.seeded", question, environment))
        say(line(rows[-1]))
    return {
        "bench": "seeded",
        "machine": before,
        "seconds": round(time.perf_counter() - began, 1),
        "rows": rows,
    }


def line(row: Report) -> str:
    return (
        f"{row['instruments']:>5,} instruments: {row['ticks_per_s_and_core']:,} ticks/s and core, "
        f"{row['us_per_tick']} µs a tick; {row['ticks_per_world_s']:,} ticks a second of the world are "
        f"{row['share_of_a_core']:.2%} of a core; {row['memory_mb']} MB, made in {row['made_s']} s"
    )


def table(found: Report) -> str:
    return "\n".join(map(line, found["rows"]))


class Stage:
    """What the market sees of a feed."""

    paused, speed = False, 1

    def __init__(self) -> None:
        self.now_ns = START_NS

    def world_ns(self) -> int:
        return self.now_ns

    wall_ns = world_ns

    def jump(self, world_ns: int) -> None:
        self.now_ns = world_ns

    async def put(self, item: Any) -> None:
        raise NotImplementedError("a bench asks for what is due itself")


def measure(asked: dict[str, Any]) -> Report:
    empty_mb, began = growth.memory_mb(), time.thread_time()
    source, stage = SeededSource(SEED, START_NS, count=asked["instruments"]), Stage()
    made_s = time.thread_time() - began
    for _ in range(WARM_STEPS):
        _step(source, stage)
    began, steps, ticks = time.thread_time(), 0, 0
    while (spent := time.thread_time() - began) < asked["seconds"]:
        ticks += _step(source, stage)
        steps += 1
    world_s = steps * STEP_NS / NS_PER_S
    return {
        "instruments": len(source.market.instruments),
        "ticks_per_s_and_core": round(ticks / spent),
        "us_per_tick": round(spent / ticks * 1e6, 1),
        "ticks_per_world_s": round(ticks / world_s, 1),
        "share_of_a_core": round(spent / world_s, 5),
        "made_s": round(made_s, 2),
        "memory_mb": round(growth.memory_mb() - empty_mb, 1),
    }


def _step(source: SeededSource, stage: Stage) -> int:
    stage.now_ns += STEP_NS
    return len(source.due(stage.now_ns, stage))


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.stdin.readline()))), flush=True)
