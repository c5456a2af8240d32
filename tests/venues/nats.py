"""A real nats-server: the installed one, or Debian's package unpacked for the test run."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from simgame.kernel import clock

PATIENCE_S = 15.0


@lru_cache(1)
def server() -> str | None:
    """Path of a nats-server, or None where there is none to be had."""
    found = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")
    if found or not shutil.which("apt-get") or not shutil.which("dpkg"):
        return found
    folder = Path(tempfile.gettempdir()) / "simgame-nats-server"
    folder.mkdir(exist_ok=True)
    binary = folder / "x/usr/sbin/nats-server"
    if not binary.exists():
        quiet = {"cwd": folder, "capture_output": True, "timeout": 120}
        subprocess.run(["apt-get", "download", "nats-server"], check=False, **quiet)  # type: ignore[call-overload]
        for package in folder.glob("nats-server*.deb"):
            subprocess.run(["dpkg", "-x", package.name, "x"], check=False, **quiet)  # type: ignore[call-overload]
    return str(binary) if binary.exists() else None


class NatsServer:
    """One server on one port; it can go away and come back there."""

    def __init__(self, binary: str, port: int, *more: str):
        self.binary, self.port, self._more = binary, port, more
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [self.binary, "-a", "127.0.0.1", "-p", str(self.port), *self._more]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = clock.monotonic_s() + PATIENCE_S
        while clock.monotonic_s() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
        raise AssertionError("nats-server did not listen")

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def nats_server(binary: str, *more: str) -> Iterator[NatsServer]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = NatsServer(binary, port, *more)
    running.start()
    try:
        yield running
    finally:
        running.stop()
