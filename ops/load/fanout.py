"""Bench of the fan-out: ticks made in a web worker until they are read by real sockets in another
process. Ours against Channels' `group_send` with an `AsyncJsonWebsocketConsumer`, on the same server.

Each side is measured twice: as fast as it can (`frames_per_s`, processor time per frame), and at a
steady pace (`p50_ms`, `p99_ms` from making the tick to reading it). `--interval-ms`, `--slow` and
`--storm` measure ours alone in a hard evening (`fanout_stress`).
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from ops.load import fanout_stress as stress
from ops.load import fanout_wire as wire
from ops.load.bench import Report, Say, machine, positive, positive_int, report

HELP = "Frames a second to many sockets, against Channels' group_send; slow readers; a storm of reconnects."
SERVERS = ("uvicorn", "daphne")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--sockets", type=positive_int, default=500)
    parser.add_argument("--seconds", type=positive, default=4.0, help="of each of the four measurements")
    parser.add_argument("--ticks-per-second", type=positive, default=50.0, help="pace for the latencies")
    parser.add_argument("--server", choices=[*SERVERS, "both"], default="uvicorn")
    hard = parser.add_mutually_exclusive_group()
    hard.add_argument("--interval-ms", type=positive_int, metavar="MS", help="conflated frames so often")
    hard.add_argument("--slow", type=positive_int, metavar="N", help="N more sockets that never read")
    hard.add_argument("--storm", action="store_true", help="all sockets are torn and come back at once")


def run(options: dict[str, Any], say: Say) -> Report:
    """Raises RuntimeError, with what the process said, when a server or a client does not start."""
    servers = SERVERS if options["server"] == "both" else (options["server"],)
    each = [options | {"server": server} for server in servers]
    for name, wanted, measure in (
        ("interval", options["interval_ms"], stress.conflated),
        ("slow", options["slow"], stress.slow),
        ("storm", options["storm"], stress.storm),
    ):
        if wanted:
            return stress.report(name, options, [measure(one, say) for one in each])
    if options["server"] != "both":
        return _against_the_peer(options, say)
    sides = [_against_the_peer(one, say) for one in each]
    ours = [
        one["ours"] | {"ratio": one["ratio"], "peer_frames": one["peer"]["frames_per_s"]} for one in sides
    ]
    return {"bench": "fanout", "machine": machine(), "seconds": options["seconds"], "servers": ours}


def table(result: Report) -> str:
    """A column for each server, or ours beside the peer."""
    columns = result.get("servers")
    names = [one["server"] for one in columns] if columns else ["ours", result["peer"]["name"]]
    columns = columns or [result["ours"] | {"ratio": result["ratio"]}, result["peer"]]
    rows = [f"{'':<24}" + "".join(f"{name:>24}" for name in names)]
    for key in columns[0]:
        rows.append(f"{key:<24}" + "".join(f"{_short(one.get(key)):>24}" for one in columns))
    return "\n".join(rows)


def _short(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str("-" if value is None else value)


def _against_the_peer(options: dict[str, Any], say: Say) -> Report:
    ours = _measure("ours", "/ws/v1", wire.subscription(0), options, say)
    # The peer's consumer joins its group by itself, and says so with the same answer.
    peer = _measure("peer", "/ws/peer", '{"hello":1}', options, say)
    return report("fanout", options["seconds"], ours, {"name": "channels group_send", **peer}, "frames_per_s")


def _measure(side: str, path: str, subscription: str, options: dict[str, Any], say: Say) -> Report:
    seconds, pace = options["seconds"], options["ticks_per_second"]
    with wire.pair(side, path, subscription, options, say) as (server, client):
        say(f"{side}: as fast as it can for {seconds} s")
        full, cpu_s = wire.count(server, client, 0, seconds)
        frames = full["frames_per_s"] * seconds
        say(f"{side}: {full['frames_per_s']:,} frames/s; now {pace:g} ticks/s for {seconds} s")
        paced, _ = wire.count(server, client, pace, seconds)
        say(f"{side}: p50 {paced['p50_ms']} ms, p99 {paced['p99_ms']} ms")
    return {
        "frames_per_s": full["frames_per_s"],
        "cpu_us_per_frame": round(cpu_s * 1e6 / frames, 2) if frames else None,
        "p50_ms": paced["p50_ms"],
        "p99_ms": paced["p99_ms"],
        "paced_frames_per_s": paced["frames_per_s"],
        "errors": full["errors"] + paced["errors"],
        "sockets": options["sockets"],
        "ticks_per_s": pace,
        "server": options["server"],
    }
