"""Bench of the fan-out: ticks made in a web worker until they are read by real sockets in another
process. Ours against Channels' `group_send` with an `AsyncJsonWebsocketConsumer`, on the same server.

Each side is measured twice: as fast as it can (`frames_per_s`, processor time per frame), and at a
steady pace (`p50_ms`, `p99_ms` from making the tick to reading it).
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from argparse import ArgumentParser
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from ops.load.bench import Report, Say, positive, positive_int, report

HELP = "Frames a second to many sockets, against Channels' group_send."
START_S = 30.0  # for a server to listen and all sockets to open
WARM_S = 0.5
SUBSCRIBE = '{"id":1,"op":"subscribe","topics":[{"topic":"quote:bench:600519.SH"}],"interval_ms":0}'


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--sockets", type=positive_int, default=500)
    parser.add_argument("--seconds", type=positive, default=4.0, help="of each of the four measurements")
    parser.add_argument("--ticks-per-second", type=positive, default=50.0, help="pace for the latencies")
    parser.add_argument("--server", choices=["uvicorn", "daphne"], default="uvicorn")


def run(options: dict[str, Any], say: Say) -> Report:
    """Raises RuntimeError, with what the process said, when a server or a client does not start."""
    ours = _measure("ours", "/ws/v1", SUBSCRIBE, options, say)
    # The peer's consumer joins its group by itself, and says so with the same answer.
    peer = _measure("peer", "/ws/peer", '{"hello":1}', options, say)
    return report("fanout", options["seconds"], ours, {"name": "channels group_send", **peer}, "frames_per_s")


def _measure(side: str, path: str, subscription: str, options: dict[str, Any], say: Say) -> Report:
    server_name, sockets, seconds = options["server"], options["sockets"], options["seconds"]
    pace = options["ticks_per_second"]
    port = _free_port()
    say(f"{side}: {server_name} on 127.0.0.1:{port}, {sockets} sockets")
    with (
        _process("ops.load.fanout_server", side, server_name, str(port)) as server,
        _process_when_listening(port, server, str(port), str(sockets), path, subscription) as client,
    ):
        _expect(client, "ready")
        say(f"{side}: as fast as it can for {seconds} s")
        full, cpu_s = _count(server, client, 0, seconds)
        frames = full["frames_per_s"] * seconds
        say(f"{side}: {full['frames_per_s']:,} frames/s; now {pace:g} ticks/s for {seconds} s")
        paced, _ = _count(server, client, pace, seconds)
        say(f"{side}: p50 {paced['p50_ms']} ms, p99 {paced['p99_ms']} ms")
    return {
        "frames_per_s": full["frames_per_s"],
        "cpu_us_per_frame": round(cpu_s * 1e6 / frames, 2) if frames else None,
        "p50_ms": paced["p50_ms"],
        "p99_ms": paced["p99_ms"],
        "paced_frames_per_s": paced["frames_per_s"],
        "errors": full["errors"] + paced["errors"],
        "sockets": sockets,
        "ticks_per_s": pace,
        "server": server_name,
    }


def _count(server: Any, client: Any, rate: float, seconds: float) -> tuple[Report, float]:
    """What the client counted at this rate, and the server's processor seconds meanwhile."""
    _order(server, f"go {rate}")
    time.sleep(WARM_S)
    _order(server, "cpu")
    before = float(_line(server))
    _order(client, "begin")
    time.sleep(seconds)
    _order(client, "end")
    counted = json.loads(_line(client))
    _order(server, "cpu")
    used = float(_line(server)) - before
    _order(server, "pause")
    time.sleep(WARM_S)
    return counted, used


@contextmanager
def _process(module: str, *arguments: str) -> Any:
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=settings.BASE_DIR,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def _process_when_listening(port: int, server: Any, *arguments: str) -> Any:
    deadline = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("The bench server did not start; its reason stands above.") from None
            time.sleep(0.05)
    with _process("ops.load.fanout_client", *arguments) as client:
        yield client


def _order(process: Any, line: str) -> None:
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _line(process: Any) -> str:
    line = process.stdout.readline().strip()
    if not line:
        raise RuntimeError(f"A process of the bench ended early: {' '.join(process.args[2:])}")
    return line


def _expect(process: Any, wanted: str) -> None:
    line = _line(process)
    if line != wanted:
        raise RuntimeError(f"Expected {wanted!r} of the bench's process, it said {line!r}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
