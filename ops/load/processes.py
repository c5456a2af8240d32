"""The processes of a bench: each dies with us, speaks in lines of JSON, and is ended in order."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.load.bench import Report, Say
from simgame import children, env
from simgame.bootstrap.play import web_server

BASE = env.BASE_DIR
STOP_S = 10.0
NOT_OURS = ("DATABASE_URL", "REDIS_URL", "SIMGAME_FAILPOINTS")
SETTINGS = {
    "SIMGAME_ORDER_RATE": "1000000",
    "SIMGAME_START_CASH": "10000000000",
    "SIMGAME_LOG_LEVEL": "WARNING",
    "PYTHONUNBUFFERED": "1",
    "PYTHONWARNINGS": "ignore:No directory at:UserWarning",  # a bench serves no static files
}
# As it is recommended under load, one worker.
UVICORN = ("--loop", "uvloop", "--http", "httptools", "--ws", "websockets-sansio", "--lifespan", "auto",
           "--no-access-log", "--log-level", "warning", "--host", "127.0.0.1")  # fmt: skip


@dataclass
class Street:
    """A private world with its processes: where orders go, who may send them, and whom to watch."""

    stage: subprocess.Popen[Any]
    port: int
    players: dict[str, Any]  # headers per player, and templates of orders
    watched: dict[str, int]  # process id by name


def manage() -> str:
    return str(BASE / "manage.py")


@contextmanager
def home(say: Say, *, keep: bool) -> Iterator[dict[str, str]]:
    """The environment of a folder of its own, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="simgame-bench-"))
    folder.chmod(0o755)
    clean = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    place = {"SIMGAME_HOME": str(folder), "DJANGO_SETTINGS_MODULE": "simgame.settings"}
    try:
        yield clean | SETTINGS | place
    finally:
        if keep:
            say(f"the bench's home is {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def stage(count: int, environment: dict[str, str], say: Say) -> Iterator[subprocess.Popen[Any]]:
    """A private durable PostgreSQL with the seeded world; it makes `count` players."""
    say("a private durable PostgreSQL, migrations, the seeded world")
    with python("ops.load.orders_stage", [str(count)], environment) as child:
        read(child)
        yield child


@contextmanager
def street(
    on: subprocess.Popen[Any], environment: dict[str, str], *, known: bool = False
) -> Iterator[Street]:
    """Feed, exchange and web worker on this stage. `known`: wait until the exchange knows who reads what."""
    with ExitStack() as running:
        running.enter_context(process([manage(), "run_feed", "--world", "seeded"], environment))
        exchange = running.enter_context(
            process([manage(), "run_exchange", "--world", "seeded"], environment)
        )
        write(on, "open")
        players = read(on)
        port, web = running.enter_context(own_server(environment))
        if known:
            write(on, "known")
            read(on)
        watched = {"web": web.pid, "exchange": exchange.pid, "database": players.pop("database")}
        yield Street(on, port, players, watched)


@contextmanager
def own_server(environment: dict[str, str], **pipes: Any) -> Iterator[tuple[int, subprocess.Popen[Any]]]:
    """The game's own, one worker. Gives its port and itself."""
    port = _free_port()
    with process(["-m", *web_server("uvicorn", "127.0.0.1", port)], environment, **pipes) as child:
        yield port, child


@contextmanager
def server(application: str, environment: dict[str, str]) -> Iterator[tuple[int, subprocess.Popen[Any]]]:
    """uvicorn with an application that is not the game. Gives its port and itself."""
    port = _free_port()
    with process(["-m", "uvicorn", application, "--port", str(port), *UVICORN], environment) as child:
        yield port, child


@contextmanager
def process(
    arguments: list[str], environment: dict[str, str], **pipes: Any
) -> Iterator[subprocess.Popen[Any]]:
    child: subprocess.Popen[Any] = children.spawn(
        [sys.executable, *arguments], cwd=BASE, env=environment, text=True, **pipes
    )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def python(module: str, arguments: list[str], environment: dict[str, str]) -> Any:
    """A module of ours that answers a line of JSON to a line of text."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return process(["-m", module, *arguments], environment, **pipes)


def write(child: subprocess.Popen[Any], line: str) -> None:
    child.stdin.write(line + "\n")  # type: ignore[union-attr]
    child.stdin.flush()  # type: ignore[union-attr]


def read(child: subprocess.Popen[Any]) -> Report:
    """Its next line. Raises RuntimeError, with what it said, when that is no JSON object."""
    line = child.stdout.readline()  # type: ignore[union-attr]
    if not line.startswith("{"):
        raise RuntimeError(f"{' '.join(map(str, child.args))} ended: {line.strip() or 'see above'}")
    answer: Report = json.loads(line)
    return answer


def ask(child: subprocess.Popen[Any], line: str) -> Report:
    """What it answers to a line. Raises RuntimeError as `read` does."""
    write(child, line)
    return read(child)


def asked(module: str, question: Report, environment: dict[str, str]) -> Report:
    """One question to a module of ours, in a process of its own."""
    with python(module, [], environment) as child:
        write(child, json.dumps(question))
        return read(child)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
