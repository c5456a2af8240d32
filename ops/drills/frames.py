"""`manage.py drill frames`: what desks are shown while everything breaks is always what the database held."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import redis
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections

from market import queries as market_queries
from market.models import Instrument, World
from ops.chaos.http import Wire
from ops.chaos.town import InVain, Lines, Town, python, wait_for
from ops.drills import private
from ops.drills.frames_client import INTERVALS_MS, NAME
from ops.drills.frames_judge import Books, Judge, Seen, State, core, difference
from ops.load.bench import machine
from simgame.kernel import clock
from trading import account_events, queries
from trading.proof import progress

PLAYERS: Final = 6
WATCHERS: Final = 2  # players whose desks are read; each by two sockets and a poll
RATE: Final = 20.0  # wishes a second of all players
LOOK_S: Final = 0.05  # between two looks of the witness at the tables
HANG_S: Final = 3.0
QUIET_S: Final = (1.0, 4.0)  # between two faults
STILL_S: Final = 2.0  # nothing came for so long: polls ask four times meanwhile
SETTLE_S: Final = 30.0  # a push may be lost with its Redis; a sweep finds it within 10 s
HELP = """A recording client against the database, while sockets are cut, processes killed and Redis hangs.

  manage.py drill frames                                     5 minutes
  manage.py drill frames --minutes 0.5 --seed 7 --format json

A private home gets PostgreSQL, Valkey, a feed, an exchange and a web worker. Six players trade; of two
the desk is read by a socket that takes every message, by one that takes frames, and by polling. All of it
is written down. Beside them a witness reads the tables themselves, many times a second. Meanwhile sockets are
cut, web, exchange and feed are killed, Redis is killed, flushed and hangs. Judged: each state of a portfolio
that a reader stood at is the database's at that version; no position went back; no position of a public topic
had two contents; and in the end, when the load and the feed stand still, nobody misses anything.

Exit codes: 0 nothing found, 1 it could not run, 2 wrong usage, 3 findings."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=5.0, metavar="N")
    parser.add_argument("--seed", type=int, default=1, help="the same seed breaks the same things")


def run(options: dict[str, Any]) -> dict[str, Any]:
    """The report; `difference` is None when nothing was found."""
    words = ["--minutes", str(options["minutes"]), "--seed", str(options["seed"])]
    private.move(["drill", "frames", *words, "--format", options["format"]])
    with private.town("feed", "exchange", "web") as (town, world):
        return Drill(town, world, options["seed"]).run(options["minutes"] * 60)


class Witness(threading.Thread):
    """Reads the tables of portfolios again and again: version → state, as the database had it."""

    def __init__(self, portfolios: list[int]):
        super().__init__(daemon=True)
        self.tables: dict[int, dict[int, State]] = {portfolio: {} for portfolio in portfolios}
        self.looks = 0
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            for portfolio, known in self.tables.items():
                try:
                    desk = queries.desk_snapshot(portfolio)
                except DatabaseError:
                    connections.close_all()
                    continue
                known.setdefault(desk["version"], core(msgspec.json.decode(msgspec.json.encode(desk))))
                self.looks += 1
            self._over.wait(LOOK_S)
        connections.close_all()

    def stop(self) -> None:
        self._over.set()
        self.join()


class Drill:
    def __init__(self, town: Town, world: World, seed: int):
        self.town, self.world, self.seed = town, world, seed
        self.chance = random.Random(f"frames {seed}")
        self.folder = town.home / "frames"
        self.folder.mkdir()
        self.faults: dict[str, int] = {}
        self.client: Lines
        self.load: Lines
        wait_for(self._web_answers, "the web worker")
        wait_for(lambda: [row for row in market_queries.quotes(world).values() if row["ask"]], "quotes")
        self.players = [private.player(world, f"player{number}") for number in range(PLAYERS)]
        self.watched = self.players[:WATCHERS]
        self.symbol = Instrument.objects.filter(world=world).order_by("symbol")[0].symbol

    def run(self, seconds: float) -> dict[str, Any]:
        began_s = clock.monotonic_s()
        witness = Witness([one["portfolio"] for one in self.watched])
        witness.start()
        try:
            wait_for(lambda: all(witness.tables.values()), "a first look")
            self._start_clients()
            with progress.bar("Frames", round(seconds)) as advance:
                self._break_things(seconds, advance)
            self.load.tell("pause")
            self.load.expect("paused")
            os.kill(self.town.running["feed"].pid, signal.SIGSTOP)  # the market stands still
            late = self._settle()
            self.client.tell("stop")
            self.client.expect("stopped")
        finally:
            witness.stop()
        judge = self._judge(witness, late)
        return self._report(judge, witness, round(clock.monotonic_s() - began_s, 1))

    def _start_clients(self) -> None:
        spoken = {"port": self.town.port, "world": self.world.slug}
        self.client = Lines(self.town.start("client", python("ops.drills.frames_client", self.folder)))
        self.client.tell(json.dumps(spoken | {"symbol": self.symbol, "watchers": self.watched}))
        self.client.expect("ready")
        self.load = Lines(self.town.start("load", python("ops.chaos.load", self.folder)))
        asked = spoken | {"players": self.players, "watchers": 0, "rate": RATE, "seed": self.seed}
        self.load.tell(json.dumps(asked))
        self.load.expect("ready")
        self.load.tell("go")

    # --- what breaks -----------------------------------------------------------------------------------

    def _break_things(self, seconds: float, advance: Callable[[int], None]) -> None:
        deadline, told = clock.monotonic_s() + seconds, 0
        began = clock.monotonic_s()
        for name, fault in self._schedule():
            time.sleep(self.chance.uniform(*QUIET_S))
            if clock.monotonic_s() >= deadline:
                return
            fault()
            self.faults[name] = self.faults.get(name, 0) + 1
            passed = min(round(clock.monotonic_s() - began), round(seconds))
            advance(passed - told)
            told = passed

    def _schedule(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """All of them in turn, shuffled; sockets are cut between any two."""
        faults: dict[str, Callable[[], None]] = {
            "web killed": lambda: self._kill("web"),
            "web restarted": self._restart_web,
            "exchange killed": lambda: self._kill("exchange"),
            "feed killed": lambda: self._kill("feed"),
            "Redis killed": self._kill_redis,
            "Redis flushed": self._flush_redis,
            "Redis hung": self._hang_redis,
        }
        while True:
            for name in self.chance.sample(sorted(faults), len(faults)):
                yield "sockets cut", lambda: self.client.tell("cut")
                yield name, faults[name]

    def _kill(self, name: str) -> None:
        self.town.kill(name)
        self.town.restart(name)

    def _restart_web(self) -> None:
        self.town.stop("web")
        self.town.restart("web")

    def _kill_redis(self) -> None:
        os.kill(self.town.services.pids()["Valkey"], signal.SIGKILL)
        time.sleep(self.chance.uniform(0, HANG_S))
        self.town.heal()

    def _flush_redis(self) -> None:
        with redis.Redis.from_url(settings.REDIS_URL) as connection:
            connection.flushall()

    def _hang_redis(self) -> None:
        pid = self.town.services.pids()["Valkey"]
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(HANG_S)
        finally:
            os.kill(pid, signal.SIGCONT)

    # --- what is judged --------------------------------------------------------------------------------

    def _settle(self) -> list[str]:
        """Wait until every reader stands at the head of its portfolio and hears no more; who does not."""
        try:
            wait_for(lambda: not self._behind() and self._still(), "readers at the head", SETTLE_S)
        except InVain:
            return self._behind()
        return []

    def _still(self) -> bool:
        def written() -> int:
            self.client.tell("flush")
            self.client.expect("flushed")
            return sum(path.stat().st_size for path in self.folder.glob(NAME.format("*")))

        before = written()
        time.sleep(STILL_S)
        return written() == before

    def _behind(self) -> list[str]:
        self.client.tell("flush")
        self.client.expect("flushed")
        late = []
        for who in self.watched:
            head = queries.desk_version(who["portfolio"])
            topic = f"portfolio:{who['portfolio']}"
            for reader in self._readers(who["portfolio"]):
                at = [one.offset for one in self._seen(reader) if one.topic == topic]
                if not at or at[-1] != head:
                    late.append(f"{reader} stands at {at[-1:] or 'nothing'} of {head}")
        return late

    def _readers(self, portfolio: int) -> list[str]:
        return [*(f"{portfolio}-socket-{ms}" for ms in INTERVALS_MS), f"{portfolio}-poll"]

    def _seen(self, reader: str) -> list[Seen]:
        data = Path(self.folder / NAME.format(reader)).read_bytes()
        lines = data[: data.rfind(b"\n") + 1].splitlines()
        return [msgspec.json.decode(line, type=Seen) for line in lines]

    def _judge(self, witness: Witness, late: list[str]) -> Judge:
        books = {}
        for portfolio, tables in witness.tables.items():
            told = dict(account_events.bodies(portfolio))
            books[portfolio] = Books(queries.stream_epoch(portfolio), tables, told)
        judge = Judge(books, market_queries.no_epoch(self.world))
        for each in late:
            judge.missing(each.split(" ")[0], "portfolio", each)
        for portfolio, kept in books.items():
            for version in kept.torn():
                judge.missing("the tables", f"portfolio:{portfolio}", f"no message makes version {version}")
            for reader in self._readers(portfolio):
                judge.read(reader, self._seen(reader))
                self._whole(judge, reader)
        return judge

    def _whole(self, judge: Judge, reader: str) -> None:
        """The feed stands: what the reader shows of the market is what there is."""
        board = f"board:{self.world.slug}"
        shown = judge.shown.get((reader, board), {})
        now = msgspec.json.decode(msgspec.json.encode(market_queries.board(self.world).quotes))
        for symbol, row in now.items():
            if (shown.get(symbol) or {}).get("seq") != row["seq"]:
                judge.missing(
                    reader, board, f"{symbol}: {difference({'row': shown.get(symbol)}, {'row': row})}"
                )
        if reader.endswith("poll"):
            return
        topic = f"trades:{self.world.slug}:{self.symbol}"
        last = market_queries.trades(self.world, self.symbol)[-1:]
        if last and [row["seq"] for row in judge.shown.get((reader, topic), [])] != [last[0]["seq"]]:
            judge.missing(reader, topic, f"the last trade is {last[0]['seq']}")

    def _web_answers(self) -> bool:
        return asyncio.run(Wire(self.town.port, {}).ask("GET", "/livez")).status == 200

    def _report(self, judge: Judge, witness: Witness, seconds: float) -> dict[str, Any]:
        return {
            "drill": "frames",
            "seed": self.seed,
            "seconds": seconds,
            "machine": machine(),
            "faults": dict(sorted(self.faults.items())),
            "looks": witness.looks,
            "versions": sum(books.head for books in judge.books.values()),
            "seen": dict(sorted(judge.counts.items())),
            "difference": {"findings": [str(one) for one in judge.found]} if judge.found else None,
        }
