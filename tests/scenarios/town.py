"""A town with real processes: its own database, a web server, and per world a feed and an exchange.

Everything runs as an operator would start it; the tests stand outside and speak HTTP and WebSocket.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec
import psycopg

from market.feed import client, wal
from market.ticks import PhaseTick, Print, Tick
from simgame import children, env
from simgame.bootstrap.play import web_server
from simgame.embedded import run_dir
from trading.exchange.client import ask_at
from trading.exchange.wire import Status
from trading.invariants import Found, find

PATIENCE_S = 90.0  # processes that start at once, on a machine that may be busy
READ_BACK = 4_000  # characters of a log that a failed wait shows
PYTHON = sys.executable
PREPARE = """
import io, json, sys
import django
from django.core.management import call_command
django.setup()
call_command("migrate", verbosity=0)
for world in sys.argv[1:]:
    said = io.StringIO()
    call_command("seed", world=world, format="json", stdout=said)
    print(json.loads(said.getvalue())["world"])
"""  # one process instead of one per command: each of them needs seconds to begin
MANAGE = [PYTHON, str(env.BASE_DIR / "manage.py")]


def wait_for(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """The first true value of `condition`."""
    deadline = time.monotonic() + patience_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {patience_s:.0f} s in vain for {what}"
        time.sleep(0.02)
    return value


class Town:
    """`seeded` is the world that newcomers join; `open_world` starts others beside it."""

    def __init__(self, home: Path, server_url: str, redis_url: str):
        self.home = home
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._seeded_rules: str | None = None  # of the seeded world that runs
        self._server_url = server_url
        self.database = f"scenarios_{os.getpid()}"
        self.database_url = urlunsplit(urlsplit(server_url)._replace(path=f"/{self.database}"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        given = {name: value for name, value in os.environ.items() if not name.startswith("SIMGAME_")}
        self.env = {
            **given,
            "DJANGO_SETTINGS_MODULE": "simgame.settings",
            "SIMGAME_HOME": str(home),
            "DATABASE_URL": self.database_url,
            "REDIS_URL": redis_url,
            "SIMGAME_REGISTER_RATE": "1000",
            "SIMGAME_REQUEST_RATE": "1000",
            "SIMGAME_ADDRESS_RATE": "10000",
            "SIMGAME_ORDER_RATE": "1000",
            "SIMGAME_LOG_LEVEL": "WARNING",
            "MALLOC_ARENA_MAX": "2",
        }

    # --- life ------------------------------------------------------------------------------------

    def found(self, recordings: dict[str, Path]) -> None:
        """The database, the seeded world, a replayed world for each recording, and the web server.

        `slugs` then has the replayed worlds by the recordings' names; feeds and exchanges come later.
        """
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{self.database}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{self.database}"')
        self.start("web", [PYTHON, "-m", *web_server("uvicorn", "127.0.0.1", self.port)])
        worlds = [
            "seeded",
            *(f"replay:{path}" for name, path in recordings.items()),
        ]
        seeded = self.run([PYTHON, "-c", PREPARE, *worlds])
        self.slugs = dict(zip(["seeded", *recordings], seeded.stdout.split(), strict=True))

    def close(self) -> None:
        for name in list(self._running):
            self.stop(name)
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{self.database}" WITH (FORCE)')

    @contextmanager
    def open_world(self, slug: str, **settings: str) -> Iterator[str]:
        """Run the feed and the exchange of a world that is there; the value is its slug.

        settings: environment of both, as an operator sets it.
        """
        self.start(f"feed {slug}", [*MANAGE, "run_feed", "--world", slug], **settings)
        self.start_exchange(slug, **settings)
        try:
            self.wait_until_open(slug)
            yield slug
        finally:
            self.close_world(slug)

    def play_seeded(self, rules: str) -> str:
        """The seeded world runs under this rulebook; an operator changes it by seeding, and starts anew."""
        slug = "seeded"
        if self._seeded_rules == rules:
            return slug
        self.close_world(slug)
        if (self._seeded_rules or "plain") != rules:
            self.run([*MANAGE, "seed", "--world", slug], SIMGAME_SEEDED_RULES=rules)
        self.start(f"feed {slug}", [*MANAGE, "run_feed", "--world", slug])
        self.start_exchange(slug)
        self.wait_until_open(slug)
        self._seeded_rules = rules
        return slug

    def wait_until_open(self, slug: str) -> None:
        wait_for(self.web_answers, "the web server")
        wait_for(lambda: self.exchange_serves(slug), f"the exchange of {slug}")

    def close_world(self, slug: str) -> None:
        self.stop(f"exchange {slug}")
        self.stop(f"feed {slug}")

    def start_exchange(self, slug: str, **settings: str) -> None:
        self.start(f"exchange {slug}", [*MANAGE, "run_exchange", "--world", slug], **settings)

    def seed(self, world: str, *options: str) -> str:
        """Make a world, as an operator does. Its slug."""
        said = self.run([*MANAGE, "seed", "--world", world, *options, "--format", "json"]).stdout
        return str(msgspec.json.decode(said)["world"])

    def sql(self, *statements: str) -> None:
        """What an operator changes in the admin, before a world is opened."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    # --- processes -------------------------------------------------------------------------------

    def start(self, name: str, command: list[str], **settings: str) -> None:
        assert name not in self._running, f"{name} runs already"
        with open(self.log_of(name), "ab") as log:
            self._running[name] = children.spawn(
                command,
                cwd=env.BASE_DIR,
                env={**self.env, **settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def stop(self, name: str) -> None:
        """Cleanly: our processes leave with 0; uvicorn, done, gives itself the signal that it got."""
        process = self._running.pop(name, None)
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(
                f"{name} did not stop\n{self.log_of(name).read_text()[-READ_BACK:]}"
            ) from None
        assert code == 0 or (name == "web" and code == -signal.SIGTERM), (
            f"{name} left with {code}\n{self.log_of(name).read_text()[-READ_BACK:]}"
        )

    def kill(self, name: str) -> None:
        """SIGKILL, in the middle of whatever it does."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def run(self, command: list[str], code: int = 0, **settings: str) -> subprocess.CompletedProcess[str]:
        """A command to its end, with the exit code that it must have."""
        done = subprocess.run(
            command,
            cwd=env.BASE_DIR,
            env={**self.env, **settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert done.returncode == code, f"{command[1:]} → {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def log_of(self, name: str) -> Path:
        return self.home / f"{name.replace(' ', '-')}.log"

    def logs(self) -> str:
        return "\n".join(
            f"--- {name}\n{self.log_of(name).read_text()[-READ_BACK:]}" for name in self._running
        )

    # --- looking ---------------------------------------------------------------------------------

    def web_answers(self) -> bool:
        assert self._running["web"].poll() is None, self.logs()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/livez")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def exchange_serves(self, slug: str) -> bool:
        """It has read its books, and the feed's snapshot."""
        assert self._running[f"exchange {slug}"].poll() is None, self.logs()
        assert self._running[f"feed {slug}"].poll() is None, self.logs()
        return bool(ask_at(str(self.socket("exchange", slug)), Status()).result.get("tick_seq"))

    def number_of(self, slug: str) -> int:
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute("SELECT number FROM market_world WHERE slug = %s", (slug,)).fetchone()
        assert row is not None, f"no world {slug}"
        return row[0]

    def socket(self, who: str, slug: str) -> Path:
        return run_dir(self.home) / f"{who}-{self.number_of(slug)}.sock"

    def ask_feed(self, slug: str, **question: Any) -> dict[str, Any]:
        """One question to the feed, as `manage.py feed` asks it: op=status, op=control, …"""
        return asyncio.run(client.ask(f"unix:{self.socket('feed', slug)}", question))

    def steer(self, slug: str, **wanted: Any) -> dict[str, Any]:
        """paused=, speed=, seek="""
        return self.ask_feed(slug, op="control", **wanted)

    def go_to(self, slug: str, moment: str, phase: str = "continuous") -> None:
        """Seek a replayed world forward to a moment (RFC 3339, world time); on return all have arrived.

        The clock is there at once; the day has rolled when the feed has said the phase of that moment.
        """
        self.steer(slug, seek=moment)
        wait_for(
            lambda: (now := self.ask_feed(slug, op="status"))["phase_at"] >= moment and now["phase"] == phase,
            f"{phase} at {moment}",
        )
        self.in_step(slug)

    def in_step(self, slug: str) -> None:
        """The exchange has applied every tick that the feed has said until now."""
        said = self.ask_feed(slug, op="status")["seq"]
        path = str(self.socket("exchange", slug))
        wait_for(
            lambda: ask_at(path, Status()).result["tick_seq"] >= said, f"the exchange to reach tick {said}"
        )

    def quotes(self, slug: str) -> dict[str, Any]:
        """The rows of instruments that have been quoted."""
        rows = self.ask_feed(slug, op="latest")["quotes"]
        return {symbol: row for symbol, row in rows.items() if row["bid"] and row["ask"]}

    def traded_on(self, slug: str, market_day: int) -> tuple[int, int]:
        """Value and volume by the feed's write-ahead log, also of what a replay passed over."""
        value = volume = today = 0
        for record in wal.replay(self.home / "wal" / slug):
            for tick in record if isinstance(record, list) else ():
                today = tick.market_day if isinstance(tick, PhaseTick) else today
                if isinstance(tick, Print) and today == market_day:
                    value, volume = value + tick.price * tick.size, volume + tick.size
            if isinstance(record, wal.SkippedRecord) and today == market_day:
                value, volume = value + record.trades.turnover, volume + record.trades.volume
        return value, volume

    def written_ahead(self, slug: str) -> Iterator[Tick]:
        """Every tick in the feed's write-ahead log, in order."""
        for record in wal.replay(self.home / "wal" / slug):
            if isinstance(record, list):
                yield from record

    def breaks(self, slug: str) -> list[Found]:
        """What the invariants find broken in one snapshot of the database, while everything runs."""
        world = self.number_of(slug)
        with psycopg.connect(self.database_url) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return list(find(connection, world))

    def reconciled(self) -> Any:
        """What `manage.py reconcile` says of every world; its exit code is 0."""
        return msgspec.json.decode(self.run([*MANAGE, "reconcile", "--format", "json"]).stdout)
