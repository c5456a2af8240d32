"""Bench of the feed: a venue of our own speaks Binance's protocol to a real feed (WAL, bars, Redis, exchange)
with downstreams on its socket, against the usual way of doing it: a script that reads the same WebSocket,
parses JSON and publishes to Redis, with subscribers there, without log, numbers, bars or judgement.

Latency counts from the write into the venue's socket: ingest until the feed has read it, fan-out from there
until a downstream has it, end to end both. The venue keeps its timetable whatever the reader does.
"""

from __future__ import annotations

import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from ops.load import processes
from ops.load.bench import Report, Say, machine, positive, positive_int
from ops.soak.home import environment
from simgame.embedded import Embedded

HELP = "Messages a second through the feed to downstreams, latencies, bursts, drops; against JSON to Redis."


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--rate", type=positive, default=5_000.0, help="messages a second for the latencies")
    parser.add_argument("--seconds", type=positive, default=8.0, help="of each measurement")
    parser.add_argument("--links", type=positive_int, default=10, help="downstreams")
    parser.add_argument("--burst", type=positive_int, default=50_000, help="messages in one second")
    parser.add_argument("--symbols", type=positive_int, default=20)
    parser.add_argument("--keep", action="store_true", help="keep the home with its logs")


def run(options: dict[str, Any], say: Say) -> Report:
    """Raises RuntimeError, with what the process said, when a process does not start."""
    before, began = machine(), time.perf_counter()
    home = Path(tempfile.mkdtemp(prefix="simgame-bench-"))
    home.chmod(0o755)
    asked = {name: options[name] for name in ("rate", "seconds", "links", "burst")}
    try:
        found = processes.asked("ops.load.ingest_stage", asked, environment(home, options["symbols"]))
    finally:
        if options["keep"]:
            say(f"the bench's home is {home}")
        else:
            Embedded(home).wipe()
    ours, peer = found["ours"], found["peer"]
    for name in ("burst", "drop_newest", "drop_oldest"):
        counts = ours[name]
        lost = counts["sent"] - counts["kept"]
        if not lost == counts["dropped"] == counts["holes_in_the_log"]:
            raise RuntimeError(
                f"{name}: {counts['sent']} sent are not {counts['kept']} kept and {counts['dropped']} dropped"
                f" ({counts['holes_in_the_log']} missing in the log, {counts['reconnects']} new connections)"
            )
    ratio = round(ours["peak_per_s"] / peer["peak_per_s"], 2) if peer["peak_per_s"] else None
    seconds = round(time.perf_counter() - began, 1)
    return {
        "bench": "ingest",
        "machine": before,
        "seconds": seconds,
        "ours": ours,
        "peer": peer,
        "ratio": ratio,
    }
