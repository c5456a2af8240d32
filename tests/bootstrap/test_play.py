"""The whole game, started as a person starts it."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from simgame import env
from simgame.embedded import Embedded, run_dir

from .processes import is_running, wait_until

pytestmark = pytest.mark.slow
PATIENCE_S = 90.0  # four Python processes start at once, on a machine that may be busy
GIVEN = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "SIMGAME_WORLD"}


@dataclass
class Game:
    home: Path
    port: int
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return environment_of(self.home)

    def read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    def text(self) -> str:
        return "".join(self.lines)

    def status(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def wait_for(self, words: str) -> None:
        def seen() -> bool:
            assert self.process.poll() is None, self.text()
            return words in self.text()

        wait_until(seen, words, PATIENCE_S)

    def wait_ready(self) -> None:
        wait_until(lambda: self.status("/readyz") == 200, "/readyz", PATIENCE_S)


def environment_of(home: Path) -> dict[str, str]:
    return {
        **{key: value for key, value in os.environ.items() if key not in GIVEN},
        "SIMGAME_HOME": str(home),
    }


def start(home: Path) -> Game:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "manage.py", "play", "--no-browser", "--port", str(port)],
        cwd=env.BASE_DIR,
        env=environment_of(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    game = Game(home, port, process)
    threading.Thread(target=game.read, daemon=True).start()
    return game


def processes_of(home: Path) -> dict[int, str]:
    """Every live process of this home with its command line, whatever started it."""
    mark = f"SIMGAME_HOME={home}".encode()
    sockets = os.fsencode(run_dir(home))  # the servers write over their environment
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            ours = mark in (folder / "environ").read_bytes().split(b"\0") or sockets in command
        except OSError:
            continue
        if ours and is_running(int(folder.name)):
            found[int(folder.name)] = command.replace(b"\0", b" ").decode()
    return found


def pid_of(home: Path, words: str) -> int:
    return next(pid for pid, command in processes_of(home).items() if words in command)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("play")
    yield folder
    wait_until(lambda: not processes_of(folder), "all processes to end")
    Embedded(folder).wipe()


@pytest.fixture(scope="module")
def game(home: Path) -> Iterator[Game]:
    running = start(home)
    running.wait_for("SimGame is ready")
    yield running
    running.process.kill()
    running.process.wait()


def test_it_prints_one_address_and_answers_there(game: Game):
    assert game.text().count(f"SimGame is ready   http://127.0.0.1:{game.port}/") == 1
    assert game.status("/") == 200
    assert game.status("/livez") == 200


def test_every_line_of_a_process_carries_its_name(game: Game):
    names = {line.split("│")[0].strip() for line in game.lines if "│" in line}
    assert names <= {"feed", "exchange", "checker", "web", "worker", "play"}


def test_a_second_one_says_where_the_first_is(game: Game):
    done = subprocess.run(
        [sys.executable, "manage.py", "play", "--no-browser"],
        cwd=env.BASE_DIR,
        env=game.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert f"already running from this folder: http://127.0.0.1:{game.port}/" in done.stderr


def test_later_commands_find_the_services(game: Game):
    done = subprocess.run(
        [
            sys.executable,
            "manage.py",
            "shell",
            "-v",
            "0",
            "-c",
            "from market.models import World; print(World.objects.get().slug)",
        ],
        cwd=env.BASE_DIR,
        env=game.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "seeded", done.stderr


@pytest.mark.parametrize(
    ("name", "news"),
    [
        ("run_feed", "feed_serves"),
        ("run_exchange", "exchange_recovered"),
        ("run_checker", "checker_watches"),
        ("daphne", "web ended"),
        ("celery", "worker ended"),
        ("postgres -D", "starting it again"),
        ("valkey-server", "starting it again"),
    ],
)
def test_it_heals_after_a_kill_of_anything(game: Game, name: str, news: str):
    pid, told = pid_of(game.home, name), game.text().count(news)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_running(pid), "the death")
    wait_until(lambda: game.text().count(news) > told, f"{name} to say {news!r}", PATIENCE_S)
    wait_until(
        lambda: any(name in command for command in processes_of(game.home).values()),
        f"a new {name}",
        PATIENCE_S,
    )
    game.wait_ready()


def test_ctrl_c_stops_all_of_it_and_leaves_nothing(game: Game):
    said_before = len(game.lines)
    game.process.send_signal(signal.SIGINT)
    assert game.process.wait(timeout=60) == 0, game.text()
    assert "killed" not in "".join(game.lines[said_before:])
    assert processes_of(game.home) == {}
    assert not (game.home / "play.json").exists()


def test_a_kill_of_play_itself_leaves_nothing_and_the_next_one_starts(home: Path, game: Game):
    again = start(home)
    again.wait_for("SimGame is ready")
    again.process.kill()
    again.process.wait()
    wait_until(lambda: not processes_of(home), "all processes to end")
    third = start(home)
    third.wait_for("SimGame is ready")
    third.process.terminate()
    assert third.process.wait(timeout=60) == 0, third.text()
    assert processes_of(home) == {}
