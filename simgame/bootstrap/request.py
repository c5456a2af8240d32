"""What a person asked of `play`, checked before anything is started: every refusal of it is here."""

from __future__ import annotations

import argparse
import errno
import fcntl
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simgame.embedded import Embedded
from simgame.env import STATE, running_game

from .progress import Progress, SetupFailed

DEFAULT_PORT = 8000
PORTS_TRIED = 50
ANY_ADDRESS = {"0.0.0.0", "::"}  # nosec B104  what people may type, not what is bound
LOCK = ".play.lock"
GAME_DATA = ("wal", "celery", "static")  # what --reset deletes beside the databases


@dataclass(frozen=True)
class Request:
    home: Path
    world: str
    host: str
    port: int
    server: str
    opens_browser: bool

    @property
    def browser_host(self) -> str:
        return "127.0.0.1" if self.host in ANY_ADDRESS else self.host

    @property
    def address(self) -> str:
        host = self.browser_host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"


def checked(options: argparse.Namespace, home: Path, progress: Progress) -> Request:
    return Request(
        home=home,
        world=_world(options.world),
        host=options.host,
        port=_free_port(options, progress),
        server=options.server,
        opens_browser=not options.no_browser,
    )


@contextmanager
def only_game(home: Path) -> Iterator[None]:
    """A home runs one game. The kernel frees the lock of a killed one."""
    home.mkdir(parents=True, exist_ok=True)
    with open(home / LOCK, "wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SetupFailed(_already_running(home)) from None
        try:
            yield
        finally:
            (home / STATE).unlink(missing_ok=True)


def _already_running(home: Path) -> str:
    state = running_game(home)
    if not state:
        return "SimGame is already being started from this folder."
    return (
        f"SimGame is already running from this folder: {state['address']} "
        f"(world {state['world']}, process {state['pid']}). Stop it there with Ctrl-C, or give this one "
        "its own SIMGAME_HOME."
    )


def _world(given: str) -> str:
    kind, _, recording = given.partition(":")
    if given == "seeded":
        return given
    if kind != "replay" or not recording:
        raise SetupFailed(f"--world {given!r} is not a world: use seeded, or replay:PATH of a recording.")
    path = Path(recording).expanduser()
    return f"replay:{path.resolve()}" if path.exists() else given


def _free_port(options: argparse.Namespace, progress: Progress) -> int:
    wanted = options.port or DEFAULT_PORT
    if _is_free(options.host, wanted):
        return wanted
    if options.port:
        raise SetupFailed(f"Port {wanted} is taken by another program: choose another --port, or give none.")
    for port in range(wanted + 1, wanted + PORTS_TRIED):
        if _is_free(options.host, port):
            progress.warn(f"Port {wanted} is taken by another program: this game uses {port}.")
            return port
    raise SetupFailed(
        f"The ports {wanted} to {wanted + PORTS_TRIED - 1} are all taken: choose another --port."
    )


def _is_free(host: str, port: int) -> bool:
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise SetupFailed(f"--host {host!r} is not an address of this machine: {error.strerror}.") from error
    with socket.socket(family, kind) as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(address)
        except PermissionError as error:
            raise SetupFailed(f"Port {port} is for root only: use a --port above 1023.") from error
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise SetupFailed(f"--host {host!r} is not an address of this machine.") from error
            return False
    return True


def begin_anew(services: Embedded, agreed: bool, progress: Progress) -> None:
    """`--reset`: delete this home's databases and logs after asking; keys and packages stay."""
    if not (services.wants_postgres and services.wants_valkey):
        raise SetupFailed(
            "--reset deletes the embedded databases only, but DATABASE_URL or REDIS_URL is set."
        )
    if not agreed and not sys.stdin.isatty():
        raise SetupFailed("--reset deletes all players and games of this folder: add --yes to agree.")
    if not agreed:
        print(
            "  All players and games of this folder will be deleted. Type yes to go on: ", end="", flush=True
        )
        if sys.stdin.readline().strip().lower() not in {"yes", "y"}:
            raise SetupFailed("Nothing was deleted.")
    with progress.step("Begin anew"):
        services.wipe()
        for name in GAME_DATA:
            shutil.rmtree(services.home / name, ignore_errors=True)
