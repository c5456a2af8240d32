"""The two servers: how each is prepared, started, probed and asked to stop."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from . import binaries, leftovers, probes
from .addresses import POSTGRES_PORT
from .binaries import ServiceFailed
from .identity import Identity

# Sized for a machine that also runs the game: everything together stays under 700 MB.
POSTGRES_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "reserved_connections": "4",  # the exchange comes back when all others are taken
    "shared_buffers": "64MB",
    "work_mem": "8MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "wal_init_zero": "off",  # every commit would wait 20 ms for a new segment: docs/decisions/0083
    "checkpoint_timeout": "15min",
    "jit": "off",
    "io_method": "sync",  # three idle I/O workers fewer
    "max_logical_replication_workers": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "cluster_name": "simgame",
}
OPTIONS_SINCE = {"io_method": 18, "reserved_connections": 16}
# For data that nobody will miss: tests.
CARELESS_OPTIONS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
# glibc gives a free end of 128 kB back to the system and asks for it again with the next batch: see 0073.
POSTGRES_ENVIRONMENT = {
    "MALLOC_TRIM_THRESHOLD_": str(16 * 1024**2),
    "MALLOC_MMAP_THRESHOLD_": str(16 * 1024**2),
}
VALKEY_MEMORY = "256mb"


@dataclass(frozen=True)
class Postgres:
    folder: Path  # ours: data and log
    sockets: Path
    identity: Identity
    durable: bool
    name = "PostgreSQL"
    stop_signal = signal.SIGINT  # fast shutdown: ends sessions, writes a checkpoint
    environment: ClassVar[dict[str, str]] = POSTGRES_ENVIRONMENT

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def socket(self) -> Path:
        return self.sockets / f".s.PGSQL.{POSTGRES_PORT}"

    def probe(self) -> probes.Answer:
        return probes.postgres(self.socket)

    def prepared_command(self) -> list[str]:
        """Make or check the data folder; the command that serves it."""
        program = binaries.postgres(self.identity)
        version = binaries.major_version(self._output([str(program), "--version"]))
        if not (self.data / "PG_VERSION").is_file():
            self._initialise(program.with_name("initdb"), version)
        written_by = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        if written_by != str(version):
            raise ServiceFailed(
                f"The data in {self.data} was written by PostgreSQL {written_by}, the program is {version}: "
                "play with --reset to begin anew, or set DATABASE_URL."
            )
        leftovers.clear_postgres(self.data, self.socket)
        options = POSTGRES_OPTIONS if self.durable else POSTGRES_OPTIONS | CARELESS_OPTIONS
        settings = [
            f"--{key}={value}" for key, value in options.items() if version >= OPTIONS_SINCE.get(key, 0)
        ]
        return [str(program), "-D", str(self.data), "-k", str(self.sockets), *settings]

    def _initialise(self, initdb: Path, version: int) -> None:
        """Into a draft that is renamed at the end: a kill half-way leaves no torn data folder."""
        draft = self.folder / "data.draft"
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(self.data, ignore_errors=True)  # without PG_VERSION it never was a database
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        arguments = [
            "-U",
            "simgame",
            "--auth=trust",
            "--encoding=UTF8",
            "--data-checksums",
            "--no-instructions",
        ]
        self._output(
            [str(initdb), "-D", str(draft), *arguments, *(locale if version >= 17 else ["--locale=C"])]
        )
        draft.rename(self.data)

    def _output(self, command: list[str]) -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, cwd="/", check=False, **self.identity.popen_options()
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise ServiceFailed(f"{Path(command[0]).name} failed in {self.folder}: {reason}")
        return done.stdout


@dataclass(frozen=True)
class Valkey:
    folder: Path
    sockets: Path
    identity: Identity
    name = "Valkey"
    stop_signal = signal.SIGTERM
    environment: ClassVar[dict[str, str]] = {}

    @property
    def socket(self) -> Path:
        return self.sockets / "valkey.sock"

    def probe(self) -> probes.Answer:
        return probes.valkey(self.socket)

    def prepared_command(self) -> list[str]:
        """Nothing is kept on disk: Valkey is speed only and may vanish at any moment."""
        program = binaries.valkey(self.identity)
        options = {
            "port": "0",
            "unixsocket": os.fspath(self.socket),
            "unixsocketperm": "700",
            "dir": os.fspath(self.folder),
            "save": "",
            "appendonly": "no",
            "maxmemory": VALKEY_MEMORY,
            "maxmemory-policy": "noeviction",
        }
        return [str(program), *(word for key, value in options.items() for word in (f"--{key}", value))]
