"""The processes of `bench fanout`, and the lines that they are told and say."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from ops.load.bench import Report, Say

START_S = 30.0  # for a server to listen and all sockets to open
WARM_S = 0.5


def subscription(interval_ms: int) -> str:
    topics = [{"topic": "quote:bench:600519.SH"}]
    return json.dumps({"id": 1, "op": "subscribe", "topics": topics, "interval_ms": interval_ms})


@contextmanager
def ours(options: dict[str, Any], say: Say, subscribe: str, slow: int = 0) -> Iterator[tuple[Any, Any]]:
    """Our hub behind the wanted server, and a client whose sockets are all open."""
    with pair("ours", "/ws/v1", subscribe, options, say, slow) as both:
        yield both


@contextmanager
def pair(
    side: str, path: str, subscribe: str, options: dict[str, Any], say: Say, slow: int = 0
) -> Iterator[tuple[Any, Any]]:
    port = _free_port()
    say(f"{side}: {options['server']} on 127.0.0.1:{port}, {options['sockets']} sockets")
    arguments = (str(port), str(options["sockets"]), path, subscribe, str(slow))
    with (
        _process("ops.load.fanout_server", side, options["server"], str(port)) as server,
        _process_when_listening(port, server, *arguments) as client,
    ):
        _expect(client, "ready")
        _keep_apart(server.pid, client.pid)
        yield server, client


def count(server: Any, client: Any, rate: float, seconds: float) -> tuple[Report, float]:
    """What the client counted at this rate, and the server's processor seconds meanwhile."""
    order(server, f"go {rate}")
    time.sleep(WARM_S)
    before = cpu_s(server)
    order(client, "begin")
    time.sleep(seconds)
    order(client, "end")
    counted = json.loads(line(client))
    used = cpu_s(server) - before
    order(server, "pause")
    time.sleep(WARM_S)
    return counted, used


def cpu_s(server: Any) -> float:
    """Processor seconds that the server has used."""
    order(server, "cpu")
    return float(line(server))


def memory_mb(server: Any) -> float:
    """Its resident memory."""
    order(server, "memory")
    return round(float(line(server)) / 1e6, 1)


def _keep_apart(server: int, client: int) -> None:
    """Each on a core of its own: over loopback the kernel likes to wake who reads where the writer runs, and
    then a frame costs what both do with it one after the other."""
    if not hasattr(os, "sched_setaffinity"):
        return
    first, *others = sorted(os.sched_getaffinity(0))
    if others:
        os.sched_setaffinity(server, {first})
        os.sched_setaffinity(client, others)


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


def order(process: Any, words: str) -> None:
    process.stdin.write(words + "\n")
    process.stdin.flush()


def line(process: Any) -> str:
    said = process.stdout.readline().strip()
    if not said:
        raise RuntimeError(f"A process of the bench ended early: {' '.join(process.args[2:])}")
    return str(said)


def _expect(process: Any, wanted: str) -> None:
    said = line(process)
    if said != wanted:
        raise RuntimeError(f"Expected {wanted!r} of the bench's process, it said {said!r}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
