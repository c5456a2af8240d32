"""Bench of the order path: HTTP orders that are in PostgreSQL's log when they are acknowledged.

Ours: the web worker's hot road, the exchange process, one transaction per batch. The peer: the usual
Django REST Framework view, ORM, `select_for_update` and token authentication, on the same server and
the same database. Both run against a private PostgreSQL with everything durable, one after another,
driven closed-loop by keep-alive connections from another process.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ops.load.bench import Report, Say, positive, positive_int, report
from ops.load.processes import NOT_OURS, SETTINGS, manage, process, python, read, write

HELP = "Durable order acks a second over HTTP, against a DRF view with the ORM."


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--connections", type=positive_int, default=128)
    parser.add_argument("--seconds", type=positive, default=5.0, help="of each measurement")
    parser.add_argument("--marketable", type=positive_int, default=50, help="percent of orders that can fill")
    parser.add_argument("--keep", action="store_true", help="leave the bench's home for a look")


def run(options: dict[str, Any], say: Say) -> Report:
    """Raises RuntimeError, with what the process said, when something does not start."""
    home = Path(tempfile.mkdtemp(prefix="simgame-bench-"))
    home.chmod(0o755)
    try:
        ours, peer = _both(home, options, say)
    finally:
        if options["keep"]:
            say(f"the bench's home is {home}")
        else:
            shutil.rmtree(home, ignore_errors=True)
    return report("orders", options["seconds"], ours, peer, "acks_per_s")


def _both(home: Path, options: dict[str, Any], say: Say) -> tuple[Report, Report]:
    clean = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    ours_env = clean | SETTINGS | {"SIMGAME_HOME": str(home), "DJANGO_SETTINGS_MODULE": "simgame.settings"}
    count = options["connections"]
    with ExitStack() as stack:
        say("a private durable PostgreSQL, migrations, the seeded world")
        stage = stack.enter_context(python("ops.load.orders_stage", [str(count)], ours_env))
        read(stage)
        script = manage()
        with process([script, "run_feed", "--world", "seeded"], ours_env), ExitStack() as running:
            exchange = running.enter_context(process([script, "run_exchange", "--world", "seeded"], ours_env))
            write(stage, "open")
            players = read(stage)
            port, web = running.enter_context(_server("simgame.asgi:application", ours_env))
            watched = {"web": web.pid, "exchange": exchange.pid, "database": players.pop("database")}
            say(f"ours: {count} connections for {options['seconds']:g} s, {options['marketable']} % can fill")
            ours = _drive(port, "/v2/orders", players | {"watched": watched}, options, ours_env)
            say(f"ours: {ours['acks_per_s']:,} acks/s, p50 {ours['p50_ms']} ms, p99 {ours['p99_ms']} ms")
            write(stage, "settle")
            ours |= read(stage)["facts"]
        peer_env = ours_env | {"DJANGO_SETTINGS_MODULE": "ops.load.orders_peer_settings"}
        write(stage, "peer")
        players = read(stage)
        port, _ = stack.enter_context(_server("ops.load.orders_peer:application", peer_env))
        say(f"peer: {count} connections for {options['seconds']:g} s")
        peer = _drive(port, "/orders/", players, options, peer_env)
        say(f"peer: {peer['acks_per_s']:,} acks/s, p50 {peer['p50_ms']} ms, p99 {peer['p99_ms']} ms")
    return ours, {"name": "DRF + ORM, select_for_update", **peer}


def _drive(
    port: int, path: str, players: dict[str, Any], options: dict[str, Any], env_: dict[str, str]
) -> Report:
    asked = {name: options[name] for name in ("connections", "seconds", "marketable")}
    question = {"port": port, "path": path, **asked, **players}
    with python("ops.load.orders_client", [], env_) as client:
        write(client, json.dumps(question))
        return read(client)


@contextmanager
def _server(application: str, env_: dict[str, str]) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """uvicorn as it is recommended under load, one worker. Gives its port and itself."""
    port = _free_port()
    quiet = ["--no-access-log", "--log-level", "warning", "--lifespan", "auto"]
    quick = ["--loop", "uvloop", "--http", "httptools"]
    command = ["-m", "uvicorn", application, "--host", "127.0.0.1", "--port", str(port), *quick, *quiet]
    with process(command, env_) as child:
        yield port, child


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
