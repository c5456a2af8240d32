"""The three hard evenings of `bench fanout`: conflated frames, slow readers, everybody back at once."""

from __future__ import annotations

import json
import time
from typing import Any

from ops.load import fanout_wire as wire
from ops.load.bench import Report, Say, machine

FILL = 2.5  # times the seconds of the measurement: then what waits for slow readers is in our hands
SAMPLE_S = 1.0
DESK_MS = 100  # between two frames of a page


def conflated(options: dict[str, Any], say: Say) -> Report:
    """Each socket takes a frame every `interval_ms`, while ticks come quicker."""
    interval_ms, sockets = options["interval_ms"], options["sockets"]
    with wire.ours(options, say, wire.subscription(interval_ms)) as (server, client):
        say(
            f"{options['ticks_per_second']:g} ticks/s, a frame every {interval_ms} ms, {options['seconds']} s"
        )
        counted, cpu_s = wire.count(server, client, options["ticks_per_second"], options["seconds"])
    return {
        "interval_ms": interval_ms,
        **_common(options),
        **counted,
        "wanted_frames_per_s": round(sockets * min(options["ticks_per_second"], 1_000 / interval_ms)),
        "server_cores": round(cpu_s / options["seconds"], 2),
    }


def slow(options: dict[str, Any], say: Say) -> Report:
    """`slow` more sockets subscribe and never read. Memory: of the server, resident."""
    with wire.ours(options, say, wire.subscription(0), slow=options["slow"]) as (server, client):
        before = wire.memory_mb(server)
        say(f"{options['slow']} sockets read nothing; {FILL * options['seconds']:g} s as fast as it can")
        wire.order(server, "go 0")
        time.sleep(FILL * options["seconds"])
        wire.order(server, f"go {options['ticks_per_second']}")
        time.sleep(wire.WARM_S)
        wire.order(client, "begin")
        memory = []
        for _ in range(max(2, round(options["seconds"] / SAMPLE_S))):
            memory.append(wire.memory_mb(server))
            say(f"{memory[-1]} MB")
            time.sleep(SAMPLE_S)
        wire.order(client, "end")
        counted = json.loads(wire.line(client))
    return {
        "slow_sockets": options["slow"],
        **_common(options),
        **counted,
        "memory_before_mb": before,
        "memory_filled_mb": memory[0],
        "memory_end_mb": memory[-1],
        "memory_grew_mb": round(memory[-1] - memory[0], 1),
    }


def storm(options: dict[str, Any], say: Say) -> Report:
    """Every socket is torn in the same moment and comes back at once, while ticks go on, conflated as a desk
    has them: 2,000 sockets in immediate mode want more frames than one worker and one client can pass."""
    with wire.ours(options, say, wire.subscription(DESK_MS)) as (server, client):
        wire.order(server, f"go {options['ticks_per_second']}")
        time.sleep(wire.WARM_S)
        say(f"{options['sockets']} sockets are torn, and come back")
        before_s = wire.cpu_s(server)
        wire.order(client, "storm")
        back = json.loads(wire.line(client))
        used_s = wire.cpu_s(server) - before_s
        counted, _ = wire.count(server, client, options["ticks_per_second"], options["seconds"])
    after = {f"after_{name}": value for name, value in counted.items()}
    return {"interval_ms": DESK_MS, **_common(options), **back, "server_cpu_s": round(used_s, 2), **after}


def _common(options: dict[str, Any]) -> Report:
    return {
        "server": options["server"],
        "sockets": options["sockets"],
        "ticks_per_s": options["ticks_per_second"],
    }


def report(name: str, options: dict[str, Any], ours: list[Report]) -> Report:
    """One column a server; there is nothing to compare with."""
    return {"bench": f"fanout {name}", "machine": machine(), "seconds": options["seconds"], "servers": ours}
