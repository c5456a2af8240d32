"""The exchange without its doors: commands into memory, memory into the tables, and back. For drills."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from typing import Any

from django.conf import settings

from market.models import World
from market.ticks import PhaseTick, Print, Quote, Reference
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
from trading.proof.verify import replay_world
from trading.proof.verify_receipts import verify

TICKS = (Quote, Print, Reference, PhaseTick, SetRules)
GAME = ("DATABASE_URL", "REDIS_URL", "SIMGAME_HOME", "SIMGAME_WORLD", "SIMGAME_FAILPOINTS")


class Indoors:
    """One world's books in memory and in the tables. `runner`: for the writer; the rest waits for it."""

    def __init__(self, world: World, runner: asyncio.Runner, at_ns: int):
        self.world, self.runner, self.at_ns = world, runner, at_ns
        self.rules = Rules(world)
        self.batches = self.crashes = self.checks = 0
        self.rows: dict[str, int] = {}
        self.done: Stored = {}  # keys of the batch before this one
        self.recover([])

    def apply(self, command: Any, at_ns: int) -> Reply | None:
        """In memory. The answer that waits for the commit, when somebody asked."""
        self.at_ns = at_ns
        if isinstance(command, TICKS):
            self.applier.apply(self.work, [command], {})
            return None
        self.applier.apply(self.work, [Arrival(command, 1, None)], self.done)
        return self.work.answers[-1][1]

    def commit(self) -> None:
        work, self.work = self.work, self.applier.new_work()
        if not work.batch.empty:
            fate = self.runner.run(self.writer.write(work.batch))
            assert fate is Fate.COMMITTED, fate
            self.batches += 1
        self.done = work.done

    def crash(self, begin_with: list[Any], *, commit_first: bool) -> None:
        """As a kill before or after the COMMIT: memory is gone, the rows are read again."""
        if commit_first:
            self.commit()
        self.crashes += 1
        self.writer.close()
        self.recover(begin_with)

    def close(self) -> None:
        self.writer.close()

    def recover(self, begin_with: list[Any]) -> None:
        """As `exchange.process` does it. `begin_with`: rules, and what the feed tells one who comes late."""
        number, opened = self.world.number, connect("drill")
        lease = Lease.acquire(opened, number, "drill", "none")
        recovery.ensure_system_accounts(opened, number)
        books = recovery.read(opened, number)
        self.rules.of(0)
        engine = recovery.engine_of(books, number, (), self.rules.halted)
        epoch, slug = self.world.stream_epoch, self.world.slug
        streams = Streams(number, epoch, self.rules.scales, books.stream_heads, slug)
        self.applier = Applier(engine, streams, books.head, wall=lambda: self.at_ns)
        self.writer = Writer(lease, opened)
        self.work, self.done = self.applier.new_work(), {}
        begun = Recovered(engine_version(), tuple(self.rules.halted))
        self.applier.apply(self.work, [begun, *begin_with], {})

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
        """The journal replayed and held against every row, and every receipt recomputed."""
        replayed = replay_world(self.world, verify=True)
        if replayed.difference:
            return {"replay": str(replayed.difference)}
        receipts = verify(self.world)
        self.rows = {
            "journal": replayed.commands, "heard": replayed.heard, "fills": receipts.fills,
            "ended_orders": receipts.orders, "fee_rows": receipts.fee_rows,
        }  # fmt: skip
        if receipts.mistakes:
            return {"receipts": [str(each) for each in receipts.found[:10]], "mistakes": receipts.mistakes}
        return None


def staged(module: str, wanted: dict[str, Any], *, keep: bool) -> dict[str, Any]:
    """Run a drill's stage in a process with a home of its own, so that no game's books are touched.

    The report, with the `home` where it is left. Raises RuntimeError.
    """
    home = tempfile.mkdtemp(prefix="simgame-drill-")
    given = {name: value for name, value in os.environ.items() if name not in GAME}
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, json.dumps(wanted)],
            cwd=settings.BASE_DIR,
            env={**given, "SIMGAME_HOME": home, "DJANGO_SETTINGS_MODULE": "simgame.settings"},
            stdout=subprocess.PIPE,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"The drill ended with exit code {done.returncode}; it says why above.")
        return {"home": home if keep else "removed", **json.loads(done.stdout.splitlines()[-1])}
    finally:
        if not keep:
            shutil.rmtree(home, ignore_errors=True)
