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
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ops.load.bench import Report, Say, positive, positive_int, report
from simgame import env

HELP = "Durable order acks a second over HTTP, against a DRF view with the ORM."
BASE = env.BASE_DIR
STOP_S = 10.0
NOT_OURS = ("DATABASE_URL", "REDIS_URL", "SIMGAME_FAILPOINTS")
SETTINGS = {
    "SIMGAME_ORDER_RATE": "1000000",
    "SIMGAME_START_CASH": "10000000000",
    "SIMGAME_LOG_LEVEL": "WARNING",
    "PYTHONUNBUFFERED": "1",
}


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
        stage = stack.enter_context(_python("ops.load.orders_stage", [str(count)], ours_env))
        _read(stage)
        manage = str(BASE / "manage.py")
        with _process([manage, "run_feed", "--world", "seeded"], ours_env), ExitStack() as running:
            exchange = running.enter_context(
                _process([manage, "run_exchange", "--world", "seeded"], ours_env)
            )
            _write(stage, "open")
            players = _read(stage)
            port, web = running.enter_context(_server("simgame.asgi:application", ours_env))
            watched = {"web": web.pid, "exchange": exchange.pid, "database": players.pop("database")}
            say(f"ours: {count} connections for {options['seconds']:g} s, {options['marketable']} % can fill")
            ours = _drive(port, "/v2/orders", players | {"watched": watched}, options, ours_env)
            say(f"ours: {ours['acks_per_s']:,} acks/s, p50 {ours['p50_ms']} ms, p99 {ours['p99_ms']} ms")
            _write(stage, "settle")
            ours |= _read(stage)["facts"]
        peer_env = ours_env | {"DJANGO_SETTINGS_MODULE": "ops.load.orders_peer_settings"}
        _write(stage, "peer")
        players = _read(stage)
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
    with _python("ops.load.orders_client", [], env_) as client:
        _write(client, json.dumps(question))
        return _read(client)


@contextmanager
def _server(application: str, env_: dict[str, str]) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """uvicorn as it is recommended under load, one worker. Gives its port and itself."""
    port = _free_port()
    quiet = ["--no-access-log", "--log-level", "warning", "--lifespan", "auto"]
    quick = ["--loop", "uvloop", "--http", "httptools"]
    command = ["-m", "uvicorn", application, "--host", "127.0.0.1", "--port", str(port), *quick, *quiet]
    with _process(command, env_) as child:
        yield port, child


@contextmanager
def _process(arguments: list[str], env_: dict[str, str], **pipes: Any) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen([sys.executable, *arguments], cwd=BASE, env=env_, text=True, **pipes)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _python(module: str, arguments: list[str], env_: dict[str, str]) -> Any:
    """A module of ours that answers a line of JSON to a line of text."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return _process(["-m", module, *arguments], env_, **pipes)


def _write(child: subprocess.Popen[str], line: str) -> None:
    assert child.stdin is not None
    child.stdin.write(line + "\n")
    child.stdin.flush()


def _read(child: subprocess.Popen[str]) -> dict[str, Any]:
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line.startswith("{"):
        raise RuntimeError(f"{' '.join(map(str, child.args))} ended: {line.strip() or 'see above'}")
    answer: dict[str, Any] = json.loads(line)
    return answer


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
