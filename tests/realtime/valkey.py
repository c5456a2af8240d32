"""A Valkey of a test's own: to kill, to freeze and to start again."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from simgame.embedded import binaries, identity


class Valkey:
    def __init__(self, folder: Path):
        self.socket = folder / "bus.sock"
        self.url = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = binaries.valkey(identity.server_identity())
        options = [
            "--port",
            "0",
            "--unixsocket",
            str(self.socket),
            "--save",
            "",
            "--dir",
            str(self.socket.parent),
        ]
        self._process = subprocess.Popen([str(program), *options], stdout=subprocess.DEVNULL)
        # Its own client, patient until the server listens: about 0.1 s.
        patience = Retry(ConstantBackoff(0.01), 1_000)
        redis.Redis.from_url(
            self.url,
            retry=patience,
            retry_on_error=[ConnectionError, FileNotFoundError, redis.ConnectionError],
        ).ping()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.thaw()
            self.kill()
