"""`manage.py drill books`: the random crowd through engine and PostgreSQL, with crashes, and judged."""

from __future__ import annotations

import asyncio
import random
import uuid
from argparse import ArgumentParser
from typing import Any

import msgspec
from django.utils import timezone

from accounts.models import Player
from market.models import Instrument, World
from market.ticks import PhaseTick, Quote, Reference
from ops.drills import margin_crowd
from ops.drills.crowd import RULES, Crowd
from ops.drills.indoors import Indoors, staged
from simgame.kernel import clock
from trading.engine.commands import SetRules
from trading.exchange.version import engine_version
from trading.exchange.wire import Reply
from trading.models import Game, Portfolio
from trading.proof import progress

COMMANDS_PER_BATCH_MAX = 64
CRASH_EVERY = 40  # batches, about: the books in memory are thrown away, with what was not committed
ORDERS_SHIFT = 64  # ids of orders: the world's number before them
HELP = """Random commands through engine and PostgreSQL, in batches, with crashes between.

  manage.py drill books                              20,000 commands
  manage.py drill books --commands 500000            the long run
  manage.py drill books --on-margin                  short sales, contracts, foreign money, margin calls
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
    parser.add_argument("--on-margin", action="store_true", help="the crowd on credit")
    parser.add_argument("--keep", action="store_true", help="leave the database for looking into")


def run(options: dict[str, Any]) -> dict[str, Any]:
    """In a process with a home of its own. Raises RuntimeError."""
    wanted = {name: options[name] for name in ("seed", "commands", "every", "on_margin")}
    return staged("ops.drills.books_stage", wanted, keep=options["keep"])


def make_world(slug: str = "drill", *, on_margin: bool = False) -> World:
    """The crowd's instruments, and its five people with their portfolios."""
    world = World.objects.create(
        slug=slug, name="Drill", kind=World.Kind.SEEDED, currency="CNY", rulebook="plain", stream_epoch="d"
    )
    for rules in (margin_crowd.RULES if on_margin else RULES).values():
        kind = Instrument.Kind.FUTURE if rules.is_contract else Instrument.Kind(rules.kind or "stock")
        Instrument.objects.create(
            world=world, symbol=rules.symbol, name=rules.symbol, kind=kind, currency=rules.currency,
            price_exponent=2, qty_exponent=rules.qty_exponent, tick=rules.tick, lot=rules.lot,
            multiplier=rules.multiplier,
        )  # fmt: skip
    game = Game.objects.create(
        slug=slug, name="Drill", world=world, currency="CNY", start_cash=1, starts_at=timezone.now()
    )
    terms = msgspec.to_builtins(margin_crowd.TERMS)
    for n in range(5):
        player = Player.objects.create(username=f"{slug}{n + 1}")
        kind = {"kind": "margin", "margin": terms} if on_margin and n in margin_crowd.ON_MARGIN else {}
        Portfolio.objects.create(player=player, game=game, **kind)
    return world


def drill(world: World, seed: str, commands: int, every: int, *, on_margin: bool = False) -> dict[str, Any]:
    """The report; `difference` is None when everything held."""
    with asyncio.Runner() as runner:  # for the writer only: the rest waits for it
        return _run(Drill(world, seed, runner, on_margin=on_margin), seed, commands, every)


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
                drill.kill(commit_first=chance.random() < 0.5)
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


class Drill(Indoors):
    """The crowd's exchange."""

    def __init__(self, world: World, seed: str, runner: asyncio.Runner, *, on_margin: bool = False):
        people = tuple(
            Portfolio.objects.filter(game__world=world).order_by("id").values_list("id", flat=True)
        )
        made = world.number << ORDERS_SHIFT
        crowd = margin_crowd.MarginCrowd if on_margin else Crowd
        self.crowd = crowd(f"{seed}/books", lambda n: str(uuid.UUID(int=made | n)), people)
        self.market: dict[Any, Any] = {}  # what a feed would tell one who comes late
        super().__init__(world, runner, self.crowd.at)

    def apply(self, command: Any, at_ns: int) -> Reply | None:
        if isinstance(command, Quote | Reference | PhaseTick):
            self.market[type(command), getattr(command, "symbol", "")] = command
        return super().apply(command, at_ns)

    def kill(self, *, commit_first: bool) -> None:
        """And whatever was halted or frozen goes on: the crowd does not know what became of it."""
        seen = sorted(self.market.values(), key=lambda tick: not isinstance(tick, PhaseTick))
        self.crash([*map(SetRules, self.crowd.rules.values()), *seen], commit_first=commit_first)
        for command in self.crowd.calm():
            self.apply(command, self.crowd.at)
