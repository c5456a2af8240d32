"""Programs that tests start, and waiting for what they do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from simgame import env

PATIENCE_S = 30.0


def wait_until(condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience_s:.0f} s for {what}"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """A zombie does not run any more."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def python(program: str, *arguments: str, **changes: str) -> subprocess.Popen[str]:
    """`program` in a Python of its own, without any given database; it talks line by line."""
    environment = {
        key: value for key, value in os.environ.items() if key not in {"DATABASE_URL", "REDIS_URL"}
    }
    return subprocess.Popen(
        [sys.executable, "-u", "-c", program, *arguments],
        cwd=env.BASE_DIR,
        env={**environment, **changes},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str]) -> str:
    """The next line; fails the test when the process ended instead."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"it ended with {process.wait()} and said nothing"
    return line.strip()


def finish(process: subprocess.Popen[str]) -> None:
    """Let it go on to its end (it waits for a line) and take it away."""
    process.communicate(input="\n", timeout=PATIENCE_S)
