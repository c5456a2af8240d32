"""The processes of a bench: started with an environment, spoken to in lines, ended with it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from simgame import env

BASE = env.BASE_DIR
STOP_S = 10.0
NOT_OURS = ("DATABASE_URL", "REDIS_URL", "SIMGAME_FAILPOINTS")
SETTINGS = {
    "SIMGAME_ORDER_RATE": "1000000",
    "SIMGAME_START_CASH": "10000000000",
    "SIMGAME_LOG_LEVEL": "WARNING",
    "PYTHONUNBUFFERED": "1",
}


def manage() -> str:
    return str(BASE / "manage.py")


@contextmanager
def process(arguments: list[str], env_: dict[str, str], **pipes: Any) -> Iterator[subprocess.Popen[str]]:
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


def python(module: str, arguments: list[str], env_: dict[str, str]) -> Any:
    """A module of ours that answers a line of JSON to a line of text."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return process(["-m", module, *arguments], env_, **pipes)


def write(child: subprocess.Popen[str], line: str) -> None:
    assert child.stdin is not None
    child.stdin.write(line + "\n")
    child.stdin.flush()


def read(child: subprocess.Popen[str]) -> dict[str, Any]:
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line.startswith("{"):
        raise RuntimeError(f"{' '.join(map(str, child.args))} ended: {line.strip() or 'see above'}")
    answer: dict[str, Any] = json.loads(line)
    return answer
