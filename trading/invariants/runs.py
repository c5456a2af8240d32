"""One run of the checker over a world: everything, or what changed since the last run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec
import structlog
from django.db import IntegrityError, transaction

from market.models import World
from simgame.kernel import clock, ids
from trading.exchange.database import connect
from trading.invariants import breaks, windows
from trading.invariants.queries import (
    NO_TIMEOUT,
    QUERIES,
    SNAPSHOT,
    Connection,
    Found,
    Heads,
    Query,
    Span,
    beginning,
    find,
    of_scope,
)
from trading.models import Reconciliation

log = structlog.get_logger(__name__)
Kind = Reconciliation.Kind
COUNTED = ("command", "fill", "transfer")
_FIGURES = """
SELECT (SELECT count(*) FROM trading_ledgeraccount WHERE world_id = %(world)s AND portfolio_id IS NOT NULL),
  (SELECT count(*) FROM trading_order WHERE world_id = %(world)s),
  (SELECT coalesce(sum(cash), 0) FROM trading_fill WHERE id BETWEEN %(low)s AND %(high)s)"""
_ORDERS_OF = "SELECT count(*) FROM trading_order WHERE world_id = %s AND portfolio_id = ANY(%s::bigint[])"
_CASH_OF = "SELECT coalesce(sum(cash), 0) FROM trading_fill WHERE id > %s AND id <= %s"
_HEADS_AT = """
SELECT (SELECT max(id) FROM trading_fill WHERE id BETWEEN %(low)s AND %(high)s AND seq <= %(seq)s),
  (SELECT max(id) FROM trading_transfer WHERE id BETWEEN %(low)s AND %(high)s AND seq <= %(seq)s)"""


class Step(msgspec.Struct, frozen=True):
    """Queries of one scope over one piece."""

    queries: list[Query]
    span: Span


@dataclass
class Figures:
    """Portfolios, orders and cash volume: how much of it all was looked at."""

    portfolios: int = 0
    orders: int = 0
    cash: int = 0

    def add(self, connection: Connection, world: int, step: Step) -> None:
        """Count what a step looked at."""
        span = step.span
        if step.queries and step.queries[0].scope == "portfolios":
            self.portfolios += len(span.portfolios)
            self.orders += _one(connection, _ORDERS_OF, (world, list(span.portfolios)))
        elif step.queries and step.queries[0].scope == "window":
            self.cash += int(_one(connection, _CASH_OF, (span.after.fill, span.upto.fill)))

    def percent_of(self, whole: Figures) -> dict[str, float]:
        """100 when there was nothing to look at."""
        named = ("portfolios", "orders", "cash")
        parts = {name: (getattr(self, name), getattr(whole, name)) for name in named}
        return {
            name: round(100 * min(part, all_) / all_, 2) if all_ else 100.0
            for name, (part, all_) in parts.items()
        }


def figures(connection: Connection, world: int) -> Figures:
    row = connection.execute(_FIGURES, _span_of(world)).fetchone()
    assert row is not None
    return Figures(row[0], row[1], int(row[2]))


@dataclass
class Report:
    world: World
    kind: str
    started_at: Any
    since: int = 0
    until: int = 0
    checked: dict[str, int] = field(default_factory=dict)
    coverage: dict[str, float] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)
    frozen: list[int] = field(default_factory=list)

    @property
    def breaks(self) -> int:
        return len(self.found)

    def as_dict(self) -> dict[str, Any]:
        return {
            "world": self.world.slug,
            "kind": str(self.kind),
            "started_at": self.started_at.isoformat(),
            "since": self.since,
            "until": self.until,
            "invariants": [query.name for query in QUERIES],
            "checked": self.checked,
            "coverage": self.coverage,
            "breaks": self.breaks,
            "found": [found.as_dict() for found in self.found],
            "frozen": self.frozen,
        }


Advance = Callable[[int], None]
Progress = Callable[[str, int], AbstractContextManager[Advance]]  # as trading.proof.progress.bar


@contextmanager
def silently(_what: str, _total: int) -> Iterator[Advance]:
    """For callers who show no progress."""
    yield lambda _n: None


def reconcile(
    world: World,
    progress: Progress = silently,
    *,
    kind: str = Kind.FULL,
    since: int | None = None,
    business_date: date | None = None,
) -> Report:
    """Check a world in one snapshot of the database, store the result, stop what is in doubt.

    `since`: look at what commands after this one changed; an incremental run without it goes on where the
    last one ended. Raises psycopg.Error when the database does not answer.
    """
    run = _begun(world, kind, business_date)
    report = Report(world, kind, run.started_at)
    with connect("reconcile") as connection:
        connection.execute(SNAPSHOT)
        connection.execute(NO_TIMEOUT)
        _look(connection, report, _since(run, since), progress)
        connection.rollback()
    breaks.store(run, report.found, report.until)
    report.frozen = breaks.stop_what_is_in_doubt(world)
    _finish(run, report)
    return report


def reconcile_all() -> list[Report]:
    return [reconcile(world) for world in World.objects.all()]


def nightly(today: date) -> list[Report]:
    """Everything of every world, once a business date however often it is asked for."""
    done = Reconciliation.objects.filter(business_date=today, finished_at__isnull=False)
    worlds = World.objects.exclude(pk__in=done.values("world"))
    return [reconcile(world, kind=Kind.NIGHTLY, business_date=today) for world in worlds]


def plan(connection: Connection, after: Heads, upto: Heads, portfolios: list[int]) -> Iterator[Step]:
    """What to look at, piece by piece: first what is quick and says most."""
    both = Span(after, upto)
    yield Step(of_scope("state"), both)
    for span in windows.windows(connection, after, upto):
        yield Step(of_scope("window"), span)
    for span in windows.chunks(portfolios, both):
        yield Step(of_scope("portfolios"), span)
    yield Step(of_scope("whole"), both)


def _look(connection: Connection, report: Report, since: int, progress: Progress) -> None:
    number = report.world.number
    upto = windows.heads(connection, number)
    after = beginning(number) if not since else heads_at(connection, number, since)
    portfolios = windows.touched(connection, after, upto) if since else windows.everybody(connection, number)
    report.since, report.until = since, ids.row_number(upto.command)
    report.checked = _counts(connection, number)
    seen = Figures()
    with progress(f"{report.world.slug}: proving the books", _steps(after, upto, portfolios)) as advance:
        for step in plan(connection, after, upto, portfolios):
            report.found += find(connection, number, step.queries, step.span)
            seen.add(connection, number, step)
            advance(1)
    report.coverage = seen.percent_of(figures(connection, number))


def _steps(after: Heads, upto: Heads, portfolios: list[int]) -> int:
    """How many `plan` makes: state and ledger, and the pieces between them."""
    pieces = -(-(upto.command - after.command) // windows.COMMANDS_PER_WINDOW)
    return 2 + pieces - (-len(portfolios) // windows.PORTFOLIOS_PER_CHUNK)


def heads_at(connection: Connection, world: int, seq: int) -> Heads:
    """Where fills and transfers stood when the command `seq` had been written."""
    first = beginning(world)
    row = connection.execute(_HEADS_AT, _span_of(world) | {"seq": seq}).fetchone()
    assert row is not None
    return Heads(ids.world_key(world, seq), row[0] or first.fill, row[1] or first.transfer)


def _since(run: Reconciliation, since: int | None) -> int:
    if run.kind != Kind.INCREMENTAL:
        return 0
    if since is not None:
        return since
    last = (
        Reconciliation.objects.filter(world=run.world, finished_at__isnull=False)
        .order_by("-until_seq")
        .first()
    )
    return last.until_seq if last else 0


def _begun(world: World, kind: str, business_date: date | None) -> Reconciliation:
    """The row of this run; that of a nightly run which was broken off is taken up again."""
    values = {"world": world, "kind": kind, "business_date": business_date}
    try:
        with transaction.atomic():
            return Reconciliation.objects.create(**values, started_at=clock.now())
    except IntegrityError:
        return Reconciliation.objects.get(world=world, business_date=business_date)


def _finish(run: Reconciliation, report: Report) -> None:
    run.since_seq, run.until_seq = report.since, report.until
    run.checked, run.coverage, run.breaks = report.checked, report.coverage, report.breaks
    run.finished_at = clock.now()
    run.save()
    log.log(50 if report.breaks else 20, "reconciled", world=report.world.slug, breaks=report.breaks)


def _counts(connection: Connection, world: int) -> dict[str, int]:
    span = tuple(_span_of(world)[name] for name in ("low", "high"))
    sql = "SELECT count(*) FROM trading_{} WHERE id BETWEEN %s AND %s"
    counts = {name: _one(connection, sql.format(name), span) for name in COUNTED}
    orders = _one(connection, "SELECT count(*) FROM trading_order WHERE world_id = %s", (world,))
    return counts | {"order": orders}


def _span_of(world: int) -> dict[str, int]:
    return {"world": world, "low": ids.world_key(world, 0), "high": ids.world_key(world + 1, 0) - 1}


def _one(connection: Connection, sql: str, values: Any) -> Any:
    row = connection.execute(sql, values).fetchone()
    assert row is not None
    return row[0]
