"""The checker beside the exchange: every few seconds the state and what is new, round after round the rest.

A pass looks at all balances, positions and open orders, at everything written since the pass before, and
goes on with its round over the whole history for a moment. In a small world the round ends within the pass,
so that an error is found within two passes wherever it is; in a large one it takes minutes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from threading import Event

import psycopg
import structlog
from django.db import DatabaseError, connections

from market.models import World
from simgame.kernel import clock, ids
from trading.exchange.database import connect
from trading.invariants import breaks, windows
from trading.invariants.queries import SNAPSHOT, Connection, Found, Heads, Span, beginning, find, of_scope
from trading.invariants.runs import Figures, Step, figures, plan
from trading.models import Break, CheckerState, ExchangeLease, Reconciliation

log = structlog.get_logger(__name__)
EVERY_S, EVERY_S_MAX = 4.0, 8.0  # from pass to pass: what is wrong in the state shows within 10 s
SHARE = 5  # a pass that takes long is followed by a pause: at most a fifth of a core
BUDGET_S = 0.3  # of a pass, for the round over everything
TOUCHED_PER_CHUNK = 50
NICENESS = 5  # the exchange goes first


class Round:
    """One survey of everything that was there when it began."""

    def __init__(self, connection: Connection, world: int, upto: Heads):
        everybody = windows.everybody(connection, world)
        self.began_s = clock.monotonic_s()
        self.whole = figures(connection, world)
        self.seen = Figures()
        self.steps: Iterator[Step] = plan(connection, beginning(world), upto, everybody)


class Checker:
    """Of one world. Not for two threads at once."""

    def __init__(self, world: World):
        self.world = world
        self.passes = 0
        self.reported: set[str] = set()  # digests of what was stored before
        self._connection: Connection | None = None
        self._seen_upto: Heads | None = None
        self._round: Round | None = None

    def look(self) -> list[Found]:
        """One pass, with all that follows from it; what is broken. A database that is away is only logged."""
        try:
            return self._pass()
        except (psycopg.Error, DatabaseError) as error:
            log.warning("checker_cannot_look", world=self.world.slug, why=str(error).strip())
            self.close()
            return []

    def close(self) -> None:
        """Forget the round under way and leave the database."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._round = None
        connections["default"].close()  # it may be as broken as ours

    def _pass(self) -> list[Found]:
        began_s = clock.monotonic_s()
        connection = self._connection = self._connection or connect("checker")
        connection.execute(SNAPSHOT)
        upto = windows.heads(connection, self.world.number)
        found = [*self._news(connection, upto), *self._go_round(connection, upto)]
        connection.execute("ROLLBACK")
        self._seen_upto = upto
        self.passes += 1
        self._report(found, ids.row_number(upto.command))
        breaks.stop_what_is_in_doubt(self.world)
        self._tell(upto, clock.monotonic_s() - began_s)
        return found

    def _news(self, connection: Connection, upto: Heads) -> Iterable[Found]:
        """The state as it is, and what was written since the last pass."""
        world, after = self.world.number, self._seen_upto
        yield from find(connection, world, of_scope("state"), Span(upto, upto))
        if after is None or after == upto:
            return
        for span in windows.windows(connection, after, upto):
            yield from find(connection, world, of_scope("window"), span)
        until_s = clock.monotonic_s() + BUDGET_S
        touched = windows.touched(connection, after, upto)
        for span in windows.chunks(touched, Span(after, upto), TOUCHED_PER_CHUNK):
            yield from find(connection, world, of_scope("portfolios"), span)
            if clock.monotonic_s() > until_s:  # the round comes to the others
                return

    def _go_round(self, connection: Connection, upto: Heads) -> Iterable[Found]:
        until_s = clock.monotonic_s() + BUDGET_S
        here = self._round = self._round or Round(connection, self.world.number, upto)
        for step in here.steps:
            yield from find(connection, self.world.number, step.queries, step.span)
            here.seen.add(connection, self.world.number, step)
            if clock.monotonic_s() > until_s:
                return
        self._round = None
        self._round_ended(here)

    def _round_ended(self, here: Round) -> None:
        CheckerState.objects.update_or_create(
            world=self.world,
            defaults={
                "round_at": clock.now(),
                "round_ms": int((clock.monotonic_s() - here.began_s) * 1000),
                "coverage": here.seen.percent_of(here.whole),
            },
        )

    def _report(self, found: list[Found], seq: int) -> None:
        now, by_digest = clock.now(), {each.digest(self.world.number): each for each in found}
        Break.objects.filter(digest__in=by_digest, state=Break.State.OPEN).update(seen_at=now)
        new = [each for digest, each in by_digest.items() if digest not in self.reported]
        if not new:
            return
        run = Reconciliation.objects.create(
            world=self.world,
            kind=Reconciliation.Kind.CONTINUOUS,
            started_at=now,
            until_seq=seq,
            breaks=len(new),
        )
        breaks.store(run, new, seq)
        Reconciliation.objects.filter(pk=run.pk).update(finished_at=clock.now())
        self.reported |= set(by_digest)

    def _tell(self, upto: Heads, seconds: float) -> None:
        defaults = {
            "beat_at": clock.now(),
            "seq": ids.row_number(upto.command),
            "passes": self.passes,
            "pass_ms": int(seconds * 1000),
            "open_breaks": Break.objects.filter(world=self.world, state=Break.State.OPEN).count(),
        }
        if self._round is not None:
            defaults["coverage"] = self._round.seen.percent_of(self._round.whole)
        CheckerState.objects.update_or_create(world=self.world, defaults=defaults)


def watch(stopping: Event, only: World | None = None) -> None:
    """Until `stopping` is set: all worlds that an exchange has ever run, or only one."""
    os.nice(NICENESS)
    log.info("checker_watches", world=only.slug if only else "all")
    checkers: dict[int, Checker] = {}
    while not stopping.is_set():
        began_s = clock.monotonic_s()
        for world in _worlds(only):
            checkers.setdefault(world.number, Checker(world)).look()
        spent_s = clock.monotonic_s() - began_s
        stopping.wait(min(max(EVERY_S, SHARE * spent_s), EVERY_S_MAX) - min(spent_s, EVERY_S))
    for checker in checkers.values():
        checker.close()


def _worlds(only: World | None) -> list[World]:
    if only is not None:
        return [only]
    try:
        return list(World.objects.filter(pk__in=ExchangeLease.objects.values("world")))
    except DatabaseError as error:
        log.warning("checker_cannot_look", why=str(error).strip())
        return []


@dataclass(frozen=True)
class Summary:
    """What the checker says of a world, for /readyz and /metrics."""

    world: str
    age_s: float
    round_age_s: float | None
    open_breaks: int
    coverage: dict[str, float]


def summaries() -> list[Summary]:
    now = clock.now()
    return [
        Summary(
            row.world.slug,
            (now - row.beat_at).total_seconds(),
            (now - row.round_at).total_seconds() if row.round_at else None,
            row.open_breaks,
            row.coverage,
        )
        for row in CheckerState.objects.select_related("world").exclude(beat_at=None)
    ]
