"""The whole game as a person starts it, for tests that need every process: `manage.py play`.

`live_game` is one game for the test session, on a home, a database and a port of its own.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest
from django.conf import settings

from simgame import env
from simgame.embedded import Embedded
from tests.slot import MADE

T = TypeVar("T")

PATIENCE_S = 120.0  # five processes start at once, on a machine that may be busy
GIVEN = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "SIMGAME_WORLD", "SIMGAME_HOME"}


@dataclass
class LiveGame:
    home: Path
    port: int
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    def is_ready(self) -> bool:
        assert self.process.poll() is None, "".join(self.lines[-60:])
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def kill(self, words: str) -> None:
        """End a process of this game at once; its supervisor starts it again."""
        mark = f"SIMGAME_HOME={self.home}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                ours = mark in (folder / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if ours and words in command:
                os.kill(int(folder.name), signal.SIGKILL)
                return
        raise AssertionError(f"no process of this game has {words!r} in its command line")


def wait_until(condition: Callable[[], T], what: str, patience_s: float = PATIENCE_S) -> T:
    """What `condition` says, as soon as it says anything that is true."""
    deadline = time.monotonic() + patience_s
    while not (said := condition()):
        assert time.monotonic() < deadline, f"waited {patience_s:.0f} s for {what}"
        time.sleep(0.05)
    return said


@contextmanager
def playing(home: Path, *options: str) -> Iterator[LiveGame]:
    """A running game on `home`; stopped with Ctrl-C at the end."""
    for name in MADE if settings.NPM_DIR.is_dir() else ():
        (home / name).symlink_to(settings.HOME / name)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name not in GIVEN}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "play", "--no-browser", "--port", str(port), *options],
        cwd=env.BASE_DIR,
        env={**environment, "SIMGAME_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    game = LiveGame(home, port, process)
    threading.Thread(target=game.read, daemon=True).start()
    try:
        wait_until(game.is_ready, "the game to be ready")
        yield game
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
        Embedded(home).wipe()


@pytest.fixture(scope="session")
def live_game(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGame]:
    with playing(tmp_path_factory.mktemp("live")) as game:
        yield game
