"""The life cycle of the pair: start or reuse, heal, stop; safe against everything that gets killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from simgame import children, env

from . import addresses
from .binaries import ServiceFailed
from .identity import Identity, server_identity
from .probes import Answer
from .servers import Postgres, Valkey

READY_S = 30.0  # recovery after a crash with max_wal_size of log to replay
LOCK_S = 60.0  # another starter may be initialising and recovering
STOP_S = 20.0
LOG_BYTES_MAX = 10_000_000
Server = Postgres | Valkey

TELLING = ("FATAL", "PANIC", "rror", "could not")


class Embedded:
    """The pair of one home. As a context manager it runs inside; `start` may be called again to heal.

    durable=False gives speed for data that nobody will miss. A pair that another process runs is
    reused and left running. Start from the main thread: the servers die with it.
    """

    def __init__(self, home: Path, *, durable: bool = True):
        self.home = Path(home).resolve()
        self.durable = durable
        self.wants_postgres = not env.text("DATABASE_URL")
        self.wants_valkey = not env.text("REDIS_URL")
        self._running: dict[str, tuple[Server, subprocess.Popen[bytes]]] = {}
        self._reused: list[Server] = []
        self._watchdog: children.Watchdog | None = None

    @property
    def database_url(self) -> str:
        return env.text("DATABASE_URL") or addresses.database_url(self.home)

    @property
    def redis_url(self) -> str:
        return env.text("REDIS_URL") or addresses.redis_url(self.home)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start what is not answering. Raises ServiceFailed with one sentence."""
        if not (self.wants_postgres or self.wants_valkey):
            return
        servers = self._servers()
        with self._locked():
            self._reused.clear()
            try:
                for server in servers:
                    self._ensure(server)
            except BaseException:
                self.stop()
                raise

    def alive(self) -> bool:
        """Does the pair still run? Cheap for what we own; a reused one is asked on its socket."""
        owned = all(process.poll() is None for _, process in self._running.values())
        return owned and all(server.probe() is not Answer.DOWN for server in self._reused)

    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, (_, process) in self._running.items()}

    def stop(self) -> None:
        """Stop what we started, the last first. Idempotent."""
        for name in reversed(list(self._running)):
            server, process = self._running.pop(name)
            process.send_signal(server.stop_signal)
            try:
                process.wait(timeout=STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if self._watchdog:
                self._watchdog.forget(process)
        if self._watchdog:
            self._watchdog.close()
            self._watchdog = None

    def wipe(self) -> None:
        """Remove databases and sockets of this home. Stop first."""
        place = addresses.place(self.home)
        folders = [place / "postgres", place / "valkey", addresses.run_dir(self.home)]
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        if place != self.home:
            shutil.rmtree(place, ignore_errors=True)

    def _servers(self) -> list[Server]:
        identity = server_identity()
        if identity is None:
            raise ServiceFailed(
                "PostgreSQL refuses to run as root and there is no user postgres or nobody to hand it to: "
                "run as an ordinary user or set DATABASE_URL and REDIS_URL."
            )
        _folder(self.home, shared=identity.is_other)
        place = addresses.place(self.home)
        _folder(place, shared=identity.is_other)
        _folder(addresses.run_dir(self.home), shared=identity.is_other)
        sockets = _folder(addresses.socket_dir(self.home), owner=identity)
        servers: list[Server] = []
        if self.wants_postgres:
            servers.append(
                Postgres(_folder(place / "postgres", owner=identity), sockets, identity, self.durable)
            )
        if self.wants_valkey:
            servers.append(Valkey(_folder(place / "valkey", owner=identity), sockets, identity))
        return servers

    def _ensure(self, server: Server) -> None:
        """Reuse it when it answers, wait when it is coming or going, start it when it is gone."""
        deadline = time.monotonic() + READY_S
        while (answer := server.probe()) is Answer.BUSY and time.monotonic() < deadline:
            time.sleep(0.05)
        if answer is Answer.READY:
            if server.name not in self._running:
                self._reused.append(server)
            return
        if answer is Answer.BUSY:
            raise ServiceFailed(
                f"{server.name} at {server.socket} is there but did not become ready in {READY_S:.0f} s."
            )
        self._spawn(server)

    def _spawn(self, server: Server) -> None:
        command = server.prepared_command()
        log_path = server.folder / "server.log"
        with _log(log_path) as log:
            begun = log.tell()
            process = children.spawn(
                command,
                death_signal=server.stop_signal,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=server.folder,
                env=os.environ | server.environment,
                **server.identity.popen_options(),
            )
        self._running[server.name] = (server, process)
        if not children.KERNEL_BINDS:
            self._watchdog = self._watchdog or children.Watchdog()
            self._watchdog.watch(process, server.stop_signal)
        self._await_ready(server, process, log_path, begun)

    def _await_ready(
        self, server: Server, process: subprocess.Popen[bytes], log_path: Path, begun: int
    ) -> None:
        """`begun`: where this start's lines begin in the log."""
        deadline = time.monotonic() + READY_S
        while server.probe() is not Answer.READY:
            if process.poll() is not None:
                raise ServiceFailed(
                    f"{server.name} did not start: {_last_words(log_path, begun)} (log: {log_path})"
                )
            if time.monotonic() > deadline:
                raise ServiceFailed(f"{server.name} was not ready after {READY_S:.0f} s (log: {log_path}).")
            time.sleep(0.01)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One starter at a time; the kernel releases the lock of a killed one."""
        with open(self.home / ".embedded.lock", "wb") as lock:
            deadline = time.monotonic() + LOCK_S
            while not _try_lock(lock):
                if time.monotonic() > deadline:
                    raise ServiceFailed(
                        f"Another process has been starting the services of {self.home} for a minute."
                    )
                time.sleep(0.02)
            yield


def _try_lock(lock: BinaryIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _folder(path: Path, *, owner: Identity | None = None, shared: bool = False) -> Path:
    """Make `path` if it is missing, ours or `owner`'s; refuse one that a stranger made."""
    expected = owner.uid if owner else os.geteuid()
    if not path.is_dir():
        try:
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o755 if shared else 0o700)
            if owner and owner.is_other:
                os.chown(path, owner.uid, owner.gid)
        except OSError as error:
            raise ServiceFailed(f"The folder {path} cannot be made: {error.strerror}.") from error
    found = path.stat().st_uid
    if found != expected and not (owner is None and os.access(path, os.W_OK)):
        raise ServiceFailed(
            f"The folder {path} belongs to user {found} but the services here run as user {expected}: "
            "use the same account as before, or another SIMGAME_HOME."
        )
    return path


def _log(path: Path) -> BinaryIO:
    too_long = path.exists() and path.stat().st_size > LOG_BYTES_MAX
    return open(path, "wb" if too_long else "ab")


def _last_words(path: Path, begun: int) -> str:
    """The last line of this start that tells; what it answered to our own probes does not."""
    with open(path, "rb") as log:
        log.seek(begun)
        lines = log.read().decode("utf-8", "replace").strip().splitlines()
    said = [line for line in lines if "is starting up" not in line]
    telling = [line for line in said if any(word in line for word in TELLING)]
    return (telling or said or ["no reason given"])[-1].strip()
