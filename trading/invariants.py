"""Proving the books: every invariant over everything, in one snapshot, tolerance zero.

The queries stand in `invariants.sql`. A break is stored with its evidence and the portfolio it
speaks of is frozen; nothing is ever repaired here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import structlog

from market.models import World
from simgame.kernel import clock, ids
from trading.engine.commands import Freeze
from trading.exchange.client import ask_sync
from trading.exchange.database import connect
from trading.models import Break, Reconciliation

log = structlog.get_logger(__name__)
BREAKS_KEPT_MAX = 1_000  # per invariant: enough to see the pattern
FREEZE_TIMEOUT_S = 3.0
COUNTED = ("command", "fill", "transfer")
_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_NO_TIMEOUT = "SET LOCAL statement_timeout = 0"
Connection = psycopg.Connection[tuple[Any, ...]]


class Query(msgspec.Struct, frozen=True):
    name: str
    cheap: bool
    meaning: str
    sql: str


class Found(msgspec.Struct, frozen=True):
    """One break: which invariant, of what, and the numbers that show it."""

    invariant: str
    subject: str
    evidence: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return msgspec.to_builtins(self)


@dataclass
class Report:
    world: World
    started_at: datetime
    checked: dict[str, int] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)
    frozen: list[int] = field(default_factory=list)

    @property
    def breaks(self) -> int:
        return len(self.found)

    def as_dict(self) -> dict[str, Any]:
        return {
            "world": self.world.slug,
            "started_at": self.started_at.isoformat(),
            "invariants": [query.name for query in QUERIES],
            "checked": self.checked,
            "breaks": self.breaks,
            "found": [found.as_dict() for found in self.found],
            "frozen": self.frozen,
        }


def _load() -> tuple[Query, ...]:
    text = Path(__file__).with_name("invariants.sql").read_text(encoding="utf-8")
    pattern = re.compile(r"^-- (I\w+)( cheap)?: (.*)\n((?:(?!^-- I).*\n?)*)", re.MULTILINE)
    return tuple(
        Query(name, bool(cheap), meaning, sql.strip().rstrip(";"))
        for name, cheap, meaning, sql in pattern.findall(text)
    )


QUERIES = _load()


def find(connection: Connection, world: int, queries: Collection[Query] = QUERIES) -> Iterator[Found]:
    """What is broken, as the connection's running transaction sees it."""
    values = {"world": world, "low": ids.world_key(world, 0), "high": ids.world_key(world + 1, 0) - 1}
    for query in queries:
        cursor = connection.execute(query.sql, values)
        names = [column.name for column in cursor.description or ()]
        for row in cursor.fetchmany(BREAKS_KEPT_MAX):
            evidence = {name: _plain(value) for name, value in zip(names[1:], row[1:], strict=True)}
            yield Found(query.name, str(row[0]), evidence)


def cheap() -> list[Query]:
    """What an exchange asserts before it serves."""
    return [query for query in QUERIES if query.cheap]


def reconcile(world: World, tell: Callable[[str], None] = lambda line: None) -> Report:
    """Check everything of a world, store the result, freeze what is in doubt. `tell` gets progress."""
    report = Report(world, clock.now())
    with connect("reconcile") as connection:
        connection.execute(_SNAPSHOT)
        connection.execute(_NO_TIMEOUT)
        report.checked = _counts(connection, world.number)
        for query in QUERIES:
            found = list(find(connection, world.number, [query]))
            report.found += found
            verdict = f"{len(found)} BREAKS" if found else "ok"
            tell(f"{world.slug} {query.name:5} {verdict}: {query.meaning}")
        connection.rollback()
    _freeze(report)
    _store(report)
    return report


def reconcile_all() -> list[Report]:
    return [reconcile(world) for world in World.objects.all()]


def _counts(connection: Connection, world: int) -> dict[str, int]:
    span = ids.world_key(world, 0), ids.world_key(world + 1, 0) - 1
    tables = {name: f"SELECT count(*) FROM trading_{name} WHERE id BETWEEN %s AND %s" for name in COUNTED}
    counts = {name: connection.execute(sql, span).fetchone() for name, sql in tables.items()}
    orders = connection.execute("SELECT count(*) FROM trading_order WHERE world_id = %s", (world,)).fetchone()
    return {name: row[0] if row else 0 for name, row in (counts | {"order": orders}).items()}


def _freeze(report: Report) -> None:
    """Cancel-only for the portfolios in doubt, by the exchange if it runs; the evidence stays."""
    for portfolio in sorted(_portfolios_in_doubt(report.found)):
        order = Freeze(portfolio, True, "The books of this portfolio are being checked.", _freeze_key(report))
        reply = ask_sync(report.world.number, order, timeout_s=FREEZE_TIMEOUT_S)
        log.critical("portfolio_in_doubt", portfolio=portfolio, frozen=reply.outcome, code=reply.code)
        if reply.outcome == "executed":
            report.frozen.append(portfolio)


def _freeze_key(report: Report) -> str:
    return f"reconcile-{report.started_at:%Y%m%dT%H%M%S%f}"


def _portfolios_in_doubt(found: list[Found]) -> set[int]:
    """Those that a break names, itself or in its evidence."""
    named: set[int] = set()
    for each in found:
        kind, _, number = each.subject.partition(" ")
        candidates = [number] if kind in {"portfolio", "account"} else []
        candidates += [each.evidence.get(name) for name in ("portfolio_id", "portfolio")]
        named |= {int(value) for value in candidates if value is not None and int(value) > 0}
    return named


def _store(report: Report) -> None:
    row = Reconciliation.objects.create(
        world=report.world,
        started_at=report.started_at,
        finished_at=clock.now(),
        checked=report.checked,
        breaks=report.breaks,
    )
    Break.objects.bulk_create(
        Break(
            reconciliation=row,
            invariant=found.invariant,
            subject=found.subject[:120],
            evidence=found.evidence,
        )
        for found in report.found
    )
    log.log(50 if report.breaks else 20, "reconciled", world=report.world.slug, breaks=report.breaks)


def _plain(value: Any) -> Any:
    """Evidence is JSON: whole numbers stay numbers, the rest becomes text."""
    if isinstance(value, Decimal):
        return int(value)
    return value if isinstance(value, int | str | None) else str(value)
