"""The processes of a drill, as an operator runs them, with a log each; and their PostgreSQL and Valkey."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from simgame import children, env
from simgame.bootstrap.play import web_server
from simgame.embedded import Embedded
from simgame.supervisor import BACKOFF_S

PATIENCE_S = 90.0  # a busy machine starts a process in ten
STOP_S = 30.0
RESTART_S = BACKOFF_S[0]  # what the supervisor of `play` waits before it starts a dead process again
PAUSE_S = 0.02
T = TypeVar("T")
Process = subprocess.Popen[bytes]


class InVain(Exception):
    """Something that must happen did not: a finding."""


def wait_for(condition: Callable[[], T], what: str, patience_s: float = PATIENCE_S) -> T:
    """The first true value of `condition`. Raises InVain."""
    deadline = time.monotonic() + patience_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise InVain(f"waited {patience_s:.0f} s in vain for {what}")
        time.sleep(PAUSE_S)
    return value


class Town:
    """Processes by name: feed, exchange, web, load, proxy. For the main thread: children die with it."""

    def __init__(self, home: Path, environment: dict[str, str], services: Embedded):
        self.home, self.environment, self.services = home, environment, services
        self.logs = home / "logs"
        self.logs.mkdir(exist_ok=True)
        self.running: dict[str, Process] = {}
        self.retired: list[Process] = []  # exchanges that were taken over and must leave by themselves
        self.world = ""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    def command(self, name: str) -> list[str]:
        manage = [sys.executable, str(env.BASE_DIR / "manage.py")]
        return {
            "feed": [*manage, "run_feed", "--world", self.world],
            "exchange": [*manage, "run_exchange", "--world", self.world],
            "web": [sys.executable, "-m", *web_server("uvicorn", "127.0.0.1", self.port)],
        }[name]

    def start(self, name: str, command: list[str] | None = None, **settings: str) -> Process:
        """A former process of that name is no longer looked after: see `retired`."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE} if command else {}
        with open(self.log_of(name), "ab") as log:
            options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log} | pipes
            process = children.spawn(
                command or self.command(name),
                cwd=env.BASE_DIR,
                env={**self.environment, **settings},
                **options,
            )
        self.running[name] = process
        return process

    def start_rival(self, **settings: str) -> tuple[Process, Process]:
        """Another exchange of the same world beside the one that runs: (the former, the new one)."""
        former = self.running["exchange"]
        self.retired.append(former)
        return former, self.start("exchange", **settings)

    def kill(self, name: str) -> int:
        """SIGKILL now; when, in monotonic nanoseconds."""
        process = self.running[name]
        at = time.monotonic_ns()
        process.kill()
        process.wait()
        return at

    def restart(self, name: str, **settings: str) -> None:
        """As the supervisor does it after a death."""
        time.sleep(RESTART_S)
        self.start(name, **settings)

    def stop(self, name: str) -> int:
        """Ask it to leave; its exit code. Raises InVain when it does not."""
        process = self.running.pop(name)
        process.terminate()
        return left(process, name)

    def heal(self) -> None:
        """Start whatever of PostgreSQL and Valkey is gone."""
        self.services.start()

    def close(self) -> None:
        """Everything ends, whatever state it is in."""
        everybody = [*self.running.values(), *self.retired]
        for process in everybody:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        deadline = time.monotonic() + STOP_S
        for process in everybody:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                children.signal_group(process, signal.SIGKILL)
                process.wait()
        self.running.clear()
        self.retired.clear()

    def log_of(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def last_words(self, name: str, lines: int = 8) -> str:
        text = self.log_of(name).read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])


def left(process: Process, name: str, patience_s: float = STOP_S) -> int:
    """The exit code of a process that must end by itself. Raises InVain."""
    try:
        return process.wait(patience_s)
    except subprocess.TimeoutExpired:
        raise InVain(f"{name} (pid {process.pid}) did not end within {patience_s:.0f} s") from None


class Lines:
    """A child that speaks lines over its pipes."""

    def __init__(self, process: Process):
        self.process = process
        self._said: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def expect(self, word: str, patience_s: float = PATIENCE_S) -> str:
        """The next line, which must begin with `word`. Raises InVain."""
        try:
            line = self._said.get(timeout=patience_s)
        except queue.Empty:
            raise InVain(f"waited {patience_s:.0f} s in vain for {word!r} of a child") from None
        if not line.startswith(word):
            raise InVain(f"a child said {line[:200]!r}, not {word!r}")
        return line

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said.put(line.decode().strip())
        self._said.put("(it ended)")


def python(module: str, *arguments: str | os.PathLike[str]) -> list[str]:
    return [sys.executable, "-m", module, *map(os.fspath, arguments)]
