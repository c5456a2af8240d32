"""`manage.py drill books`: the random crowd through engine and PostgreSQL, with crashes, and judged."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import uuid
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts.models import Player
from market.models import Instrument, World
from market.ticks import PhaseTick, Print, Quote, Reference
from ops.drills.crowd import RULES, Crowd
from simgame.kernel import clock
from trading import invariants
from trading.engine.commands import Recovered, SetRules
from trading.exchange import recovery
from trading.exchange.applier import Applier, Stored
from trading.exchange.database import connect
from trading.exchange.intake import Arrival
from trading.exchange.lease import Lease
from trading.exchange.streams import Streams
from trading.exchange.ticks import Rules
from trading.exchange.version import engine_version
from trading.exchange.wire import Reply
from trading.exchange.writer import Fate, Writer
from trading.models import Game, Portfolio
from trading.proof import progress
from trading.proof.verify import replay_world
from trading.proof.verify_receipts import verify

COMMANDS_PER_BATCH_MAX = 64
CRASH_EVERY = 40  # batches, about: the books in memory are thrown away, with what was not committed
GAME = ("DATABASE_URL", "REDIS_URL", "SIMGAME_HOME", "SIMGAME_WORLD", "SIMGAME_FAILPOINTS")
ORDERS_SHIFT = 64  # ids of orders: the world's number before them
TICKS = (Quote, Print, Reference, PhaseTick, SetRules)
HELP = """Random commands through engine and PostgreSQL, in batches, with crashes between.

  manage.py drill books                              20,000 commands
  manage.py drill books --commands 500000            the long run
  manage.py drill books --every 200 --seed evening   full invariants after each 200 batches

The same crowd as `drill engine`, through the exchange's own applier and writer, into a PostgreSQL of its
own that is made before and removed after (--keep leaves it). Now and then the books in memory are thrown
away with the batch under way and read again from their rows, as after a kill. After every --every batches
the invariants of everything in memory and the cheap ones in SQL are checked and memory is held against the
rows by state hash; at growing distances, and at the end, all invariants in SQL. At the end the journal is
replayed and compared row by row, and every receipt is recomputed.

Exit codes: 0 nothing found, 1 failed, 2 wrong usage, 3 something found."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--commands", type=int, default=20_000, metavar="N")
    parser.add_argument("--seed", default="1", help="any word or number")
    parser.add_argument("--every", type=int, default=100, metavar="N", help="batches between two checks")
    parser.add_argument("--keep", action="store_true", help="leave the database for looking into")


def run(options: dict[str, Any]) -> dict[str, Any]:
    """In a process with a home of its own, so that no game's books are touched. Raises RuntimeError."""
    home = tempfile.mkdtemp(prefix="simgame-drill-")
    wanted = json.dumps({name: options[name] for name in ("seed", "commands", "every")})
    given = {name: value for name, value in os.environ.items() if name not in GAME}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "ops.drills.books_stage", wanted],
            cwd=settings.BASE_DIR,
            env={**given, "SIMGAME_HOME": home, "DJANGO_SETTINGS_MODULE": "simgame.settings"},
            stdout=subprocess.PIPE,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"The drill ended with exit code {done.returncode}; it says why above.")
        return {"home": home if options["keep"] else "removed", **json.loads(done.stdout.splitlines()[-1])}
    finally:
        if not options["keep"]:
            shutil.rmtree(home, ignore_errors=True)


def make_world(slug: str = "drill") -> World:
    """The crowd's two instruments, and its five people with their portfolios."""
    world = World.objects.create(
        slug=slug, name="Drill", kind=World.Kind.SEEDED, currency="CNY", rulebook="plain", stream_epoch="d"
    )
    for rules in RULES.values():
        Instrument.objects.create(
            world=world, symbol=rules.symbol, name=rules.symbol, kind=Instrument.Kind.STOCK, currency="CNY",
            price_exponent=2, qty_exponent=rules.qty_exponent, tick=rules.tick, lot=rules.lot,
        )  # fmt: skip
    game = Game.objects.create(
        slug=slug, name="Drill", world=world, currency="CNY", start_cash=1, starts_at=timezone.now()
    )
    for n in range(1, 6):
        player = Player.objects.create(username=f"{slug}{n}")
        Portfolio.objects.create(player=player, game=game)
    return world


def drill(world: World, seed: str, commands: int, every: int) -> dict[str, Any]:
    """The report; `difference` is None when everything held."""
    with asyncio.Runner() as runner:  # for the writer only: the rest waits for it
        return _run(Drill(world, seed, runner), seed, commands, every)


def _run(drill: Drill, seed: str, commands: int, every: int) -> dict[str, Any]:
    began = clock.monotonic_s()
    found: dict[str, Any] | None = None
    chance = random.Random(f"{seed}/batches")
    full_at, size, done = every, 8, 0
    with progress.bar("The crowd through PostgreSQL", commands) as advance:
        for command, _, at in drill.crowd.commands(commands):
            drill.apply(command, at)
            done, size = done + 1, size - 1
            if size > 0:
                continue
            advance(done)
            done, size = 0, chance.randrange(1, COMMANDS_PER_BATCH_MAX)
            if chance.randrange(CRASH_EVERY) == 0:
                drill.crash(commit_first=chance.random() < 0.5)
                continue
            drill.commit()
            if drill.batches % every == 0:
                is_full = drill.batches >= full_at
                full_at = drill.batches * 3 // 2 if is_full else full_at
                found = drill.check(full=is_full)
            if found:
                break
    if found is None:
        drill.commit()
        found = drill.check(full=True) or drill.judge()
    drill.close()
    seconds = clock.monotonic_s() - began
    return {
        "drill": "books",
        "engine": engine_version(),
        "seed": seed,
        "commands": commands,
        "batches": drill.batches,
        "crashes": drill.crashes,
        "checks": drill.checks,
        **drill.rows,
        "seconds": round(seconds, 1),
        "rate": round(commands / max(seconds, 0.001)),
        "difference": found,
    }


class _ToldTime(Applier):
    """Engine time is the crowd's, not the wall's."""

    told_ns = 0

    def now(self) -> int:
        self.head.at_ns = max(self.head.at_ns, self.told_ns)
        return self.head.at_ns


class Drill:
    """The exchange without its doors: commands into memory, memory into the tables, and back."""

    def __init__(self, world: World, seed: str, runner: asyncio.Runner):
        self.world, self.runner = world, runner
        people = tuple(
            Portfolio.objects.filter(game__world=world).order_by("id").values_list("id", flat=True)
        )
        made = world.number << ORDERS_SHIFT
        self.crowd = Crowd(f"{seed}/books", lambda n: str(uuid.UUID(int=made | n)), people)
        self.market: dict[Any, Any] = {}  # what a feed would tell one who comes late
        self.batches = self.crashes = self.checks = 0
        self.rows: dict[str, int] = {}
        self.done: Stored = {}  # keys of the batch before this one
        self._recover()

    def apply(self, command: Any, at: int) -> Reply | None:
        """In memory. The answer that waits for the commit, when somebody asked."""
        self.applier.told_ns = at
        if not isinstance(command, TICKS):
            self.applier.apply(self.work, [Arrival(command, 1, None)], self.done)
            return self.work.answers[-1][1]
        if not isinstance(command, Print | SetRules):
            self.market[type(command), getattr(command, "symbol", "")] = command
        self.applier.apply(self.work, [command], {})
        return None

    def commit(self) -> None:
        work, self.work = self.work, self.applier.new_work()
        if not work.batch.empty:
            fate = self.runner.run(self.writer.write(work.batch))
            assert fate is Fate.COMMITTED, fate
            self.batches += 1
        self.done = work.done

    def crash(self, *, commit_first: bool) -> None:
        """As a kill before or after the COMMIT: memory is gone, the rows are read again."""
        if commit_first:
            self.commit()
        self.crashes += 1
        self.writer.close()
        self._recover()
        for command in self.crowd.calm():
            self.apply(command, self.crowd.at)

    def close(self) -> None:
        self.writer.close()

    def _recover(self) -> None:
        """As `exchange.process` does it, up to the feed's snapshot."""
        number, opened = self.world.number, connect("drill")
        lease = Lease.acquire(opened, number, "drill", "none")
        recovery.ensure_system_accounts(opened, number)
        books = recovery.read(opened, number)
        rules = Rules(self.world)
        rules.of(0)
        engine = recovery.engine_of(books, number, (), rules.halted)
        streams = Streams(number, self.world.stream_epoch, rules.scales, books.stream_heads)
        self.applier = _ToldTime(engine, streams, books.head)
        self.applier.told_ns = self.crowd.at
        self.writer = Writer(lease, opened)
        self.work, self.done = self.applier.new_work(), {}
        begin_with = [Recovered(engine_version(), tuple(rules.halted)), *map(SetRules, RULES.values())]
        seen = sorted(self.market.values(), key=lambda tick: not isinstance(tick, PhaseTick))
        self.applier.apply(self.work, [*begin_with, *seen], {})

    def check(self, *, full: bool) -> dict[str, Any] | None:
        """Everything in memory, everything in the tables, and the one against the other."""
        self.checks += 1
        broken: list[Any] = list(self.applier.engine.breaches())
        opened = connect("drill")
        try:
            if full:
                broken += invariants.find(opened, self.world.number, invariants.QUERIES)
            books = recovery.read(opened, self.world.number)
        finally:
            opened.close()
        broken += books.breaks
        mine = self.applier.engine
        rules = [market.rules for market in mine.state.markets.values() if market.rules]
        stored = recovery.engine_of(books, self.world.number, rules, ()).state_hash()
        if stored != mine.state_hash():
            broken.append("memory is not what the tables hold")
        return (
            {"broken": [str(each) for each in broken[:5]], "seq": self.applier.head.seq} if broken else None
        )

    def judge(self) -> dict[str, Any] | None:
        replayed = replay_world(self.world, verify=True)
        if replayed.difference:
            return {"replay": str(replayed.difference)}
        receipts = verify(self.world)
        self.rows = {"journal": replayed.commands, "fills": receipts.fills, "ended_orders": receipts.orders}
        if receipts.mistakes:
            return {"receipts": [str(each) for each in receipts.found[:10]], "mistakes": receipts.mistakes}
        return None
