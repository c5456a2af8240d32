"""`manage.py drill day`: a market day at full speed with people trading, and every receipt recomputed."""

from __future__ import annotations

import asyncio
import random
from argparse import ArgumentParser
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from django.core.management.base import CommandError
from django.utils import timezone

from accounts.models import Player
from market import rulebook, worlds
from market.feed.plan import plan_for
from market.models import World
from market.rulebook import Phase
from market.sources.replay.source import ReplaySource
from market.ticks import PhaseTick, Tick
from ops.drills.indoors import TICKS, Indoors, staged
from ops.drills.market_day import STEP_NS, MarketDay
from ops.drills.traders import ON_MARGIN, Traders
from simgame.kernel import clock
from simgame.kernel.clock import NS_PER_S
from simgame.kernel.money import CURRENCY_EXPONENT
from trading.engine.commands import SetRules
from trading.exchange.version import engine_version
from trading.models import Game, Portfolio
from trading.models.game import PortfolioKind
from trading.proof import progress

PEOPLE = 24
CASH = 5_000_000  # in units of the world's currency
BATCH_MAX = 32
BEFORE_S = 60  # the day is watched from a minute before its first phase
DAY_S = 6 * 3600 + 15 * 60  # of a venue, from its first phase to its last
FOR_EVER_S = 10 * 86_400
BEHIND_S = 5  # and into the next one: what the roll does is judged too
ORDERS_SHIFT = 64  # ids of orders: the world's number before them
HELP = """A whole market day at full speed, with people trading, and every receipt recomputed.

  manage.py drill day                                    the seeded market, by the rules of A-shares
  manage.py drill day --rules plain --minutes 60         an hour of it, by the plain rules
  manage.py drill day --recording rb1910.csv             a recorded day, by its venue's rules
  manage.py drill day --orders-per-s 5 --crashes 10      busier, with ten restarts of the exchange

The world's own source, calendar and quality gate make the ticks on a clock that is told, as fast as they
can be computed; people place, change and cancel orders of every kind at what is displayed, through the
exchange's own applier and writer, into a PostgreSQL of its own. Some of them trade on margin and sell
short where the rules allow it; contracts are marked when the next day begins. Now and then the exchange is
killed and reads its books anew. At the end all invariants are asked, the journal is replayed and held
against every row, and `verify_receipts` recomputes every receipt from the stored ticks.

Exit codes: 0 nothing found, 1 failed, 2 wrong usage, 3 something found."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--recording", default="", metavar="PATH", help="play this instead of the seeded day")
    parser.add_argument("--rules", default="cn_a", metavar="BOOK", help="rulebook of the seeded day")
    parser.add_argument("--date", default="2026-11-02", metavar="DAY", help="of the seeded day")
    parser.add_argument("--minutes", type=int, default=0, metavar="N", help="only the first N; 0: all of it")
    parser.add_argument("--orders-per-s", type=float, default=1.0, metavar="N", help="of world time")
    parser.add_argument("--crashes", type=int, default=3, metavar="N", help="of the exchange, about")
    parser.add_argument("--seed", default="1", help="any word or number")
    parser.add_argument("--keep", action="store_true", help="leave the database for looking into")


def run(options: dict[str, Any]) -> dict[str, Any]:
    """In a process with a home of its own. Raises RuntimeError, and CommandError for wrong usage."""
    if options["recording"] and not Path(options["recording"]).exists():
        raise CommandError(f"There is no recording {options['recording']!r}.", returncode=2)
    if options["rules"] not in rulebook.known():
        known = ", ".join(rulebook.known())
        raise CommandError(f"There is no rulebook {options['rules']!r}. Known: {known}.", returncode=2)
    try:
        date.fromisoformat(options["date"])
    except ValueError as error:
        raise CommandError(f"--date {options['date']!r}: say 2026-11-02.", returncode=2) from error
    names = ("recording", "rules", "date", "minutes", "orders_per_s", "crashes", "seed")
    return staged("ops.drills.day_stage", {name: options[name] for name in names}, keep=options["keep"])


def make_world(asked: dict[str, Any]) -> World:
    """The seeded world on that date, or the recording's; its people and their portfolios.

    Raises MarketError.
    """
    if asked["recording"]:
        world = worlds.ensure(f"{worlds.REPLAY}{Path(asked['recording']).resolve()}")
        world.options |= {"loop": True, "skip_idle": True}
    else:
        world = worlds.ensure(worlds.SEEDED, asked["rules"])
        venue = asked["rules"] != "plain"
        book = rulebook.load(asked["rules"])
        begins = datetime.fromisoformat(f"{asked['date']}T00:00:00").replace(tzinfo=ZoneInfo(book.timezone))
        world.timezone = book.timezone
        world.options |= {"hours": "venue" if venue else "always", "start_ns": _ns(begins)}
    world.save(update_fields=["options", "timezone"])
    game = Game.objects.create(
        slug="drill",
        name="Drill",
        world=world,
        currency=world.currency,
        start_cash=1,
        starts_at=timezone.now(),
    )
    contracts = worlds.trades_contracts(world)
    for n in range(PEOPLE):
        player, on_margin = Player.objects.create(username=f"drill{n}"), contracts or n % 3 == 0
        Portfolio.objects.create(
            player=player,
            game=game,
            kind=PortfolioKind.MARGIN if on_margin else PortfolioKind.CASH,
            margin=msgspec.to_builtins(ON_MARGIN) if on_margin else None,
        )
    return world


def _ns(moment: datetime) -> int:
    return round(moment.timestamp()) * NS_PER_S


def drill(world: World, asked: dict[str, Any]) -> dict[str, Any]:
    """The report; `difference` is None when everything held."""
    with asyncio.Runner() as runner:  # for the writer only: the rest waits for it
        return Drill(world, asked, runner).report()


class Drill:
    def __init__(self, world: World, asked: dict[str, Any], runner: asyncio.Runner):
        self.asked = asked
        self.plan = plan_for(world)
        self.day = MarketDay(self.plan, self._begins_ns())
        self.exchange = Indoors(world, runner, self.day.now_ns)
        portfolios = Portfolio.objects.filter(game__world=world).order_by("id")
        people = {each.pk: each.kind == PortfolioKind.MARGIN for each in portfolios}
        self.traders = Traders(asked["seed"], people, world.number << ORDERS_SHIFT)
        self.chance = random.Random(f"{asked['seed']}/day")  # when the exchange is killed
        self.rules: dict[str, Any] = {}
        self.ticks = self.asks = self.waiting = 0
        self.market_day = self.told_day = 0  # the day that is played, and the one it is
        self.turned = False  # the day after it has begun
        self.phase = ""
        self.length_s = asked["minutes"] * 60 or self._day_s()

    def _begins_ns(self) -> int:
        """A minute before the market first does something; a world that never closes begins at once."""
        source, calendar = self.plan.source, self.plan.calendar
        if isinstance(source, ReplaySource):
            return source.facts.start_ns
        start_ns = int(self.plan.world.options["start_ns"])
        calendar.look_again()
        now = calendar.now(start_ns)
        opens_ns = now.next_change_ns - BEFORE_S * NS_PER_S if now.next_change_ns else start_ns
        return max(opens_ns, start_ns)

    def _day_s(self) -> int:
        source = self.plan.source
        if isinstance(source, ReplaySource):
            return (source.facts.end_ns - source.facts.start_ns) // NS_PER_S + 1
        return DAY_S if self.plan.world.options["hours"] == "venue" else 24 * 3600

    def report(self) -> dict[str, Any]:
        began = clock.monotonic_s()
        first_ns = self.day.now_ns
        self._play()
        self.exchange.commit()
        played = clock.monotonic_s() - began
        passed = (self.day.now_ns - first_ns) / NS_PER_S
        found = self.exchange.check(full=True) or self.exchange.judge()
        self.exchange.close()
        seconds = clock.monotonic_s() - began
        return {
            "drill": "day",
            "engine": engine_version(),
            "world": self.plan.world.slug,
            "rules": self.plan.world.rulebook,
            "market_day": self.market_day,
            "seed": self.asked["seed"],
            "world_hours": round(passed / 3600, 2),
            "ticks": self.ticks,
            "refused_ticks": self.day.refused,
            "asked": self.asks,
            "batches": self.exchange.batches,
            "crashes": self.exchange.crashes,
            **self.exchange.rows,
            "seconds": round(seconds, 1),
            "seconds_played": round(played, 1),
            "seconds_judged": round(seconds - played, 1),
            "difference": found,
        }

    def _play(self) -> None:
        """From before the market opens until it has begun its next day, or the asked minutes are over."""
        begun_ns, advanced = self.day.now_ns, 0
        crashes = sorted(self.chance.randrange(self.length_s) for _ in range(self.asked["crashes"]))
        until_ns = begun_ns + (self.asked["minutes"] * 60 or FOR_EVER_S) * NS_PER_S
        with progress.bar(f"A day of {self.plan.world.slug}", self.length_s) as advance:
            for ticks in self.day.steps():
                self._hear(ticks)
                if self.turned:
                    until_ns = min(until_ns, self.day.now_ns + BEHIND_S * NS_PER_S)
                    self.turned = False
                if self.day.now_ns >= until_ns:
                    return
                self._trade()
                passed = (self.day.now_ns - begun_ns) // NS_PER_S
                if passed >= next(iter(crashes), FOR_EVER_S):
                    self._crash()
                    del crashes[0]
                advance(min(passed, self.length_s) - min(advanced, self.length_s))
                advanced = passed

    def _hear(self, ticks: list[Tick]) -> None:
        for tick in ticks:
            if isinstance(tick, PhaseTick):
                self._on_phase(tick)
            self._apply(tick)
            self.ticks += 1

    def _on_phase(self, tick: PhaseTick) -> None:
        """As `trading.exchange.ticks.follow` does it: the rules of a market day before its first tick."""
        self.phase = tick.phase
        if tick.market_day == self.told_day:
            return
        self.told_day = tick.market_day
        self.turned = self.market_day > 0
        for each in self.exchange.rules.of(tick.market_day):
            self.rules[each.symbol] = each
            self._apply(SetRules(each))

    def _trade(self) -> None:
        """Nobody trades before the first phase of the day, nor after the last."""
        if self.phase == Phase.CLOSED or self.turned:
            return
        if not self.market_day:
            self.market_day = self.told_day
            world = self.plan.world
            cash = CASH * 10 ** CURRENCY_EXPONENT[world.currency]
            for command in self.traders.opening(world.currency, cash, list(self.rules.values())):
                self._apply(command)
        wanted = self.asked["orders_per_s"] * STEP_NS / NS_PER_S
        for _ in range(int(wanted) + (self.chance.random() < wanted % 1)):
            command = self.traders.act(self.day.now_ns, self.day.state.quotes, self.rules)
            if command is not None:
                self._apply(command)
                self.asks += 1

    def _apply(self, command: Any) -> None:
        self.exchange.apply(command, self.day.now_ns)
        self.waiting += not isinstance(command, TICKS)
        if self.waiting >= BATCH_MAX:
            self.waiting = 0
            self.exchange.commit()

    def _crash(self) -> None:
        """The exchange is killed before or after a commit, and hears the feed's snapshot first."""
        told = [*map(SetRules, self.rules.values()), *self.day.state.snapshot()]
        self.exchange.crash(told, commit_first=self.chance.random() < 0.5)
        self.waiting = 0
