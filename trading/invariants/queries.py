"""The invariants as queries, and what they look at. The text is in `trading/invariants.sql`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import msgspec
import psycopg

from simgame.kernel import ids

Connection = psycopg.Connection[tuple[Any, ...]]
Scope = Literal["window", "portfolios", "state", "whole"]
BREAKS_KEPT_MAX = 1_000  # per invariant and run: enough to see the pattern
SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
NO_TIMEOUT = "SET LOCAL statement_timeout = 0"
# Nobody's books in particular are wrong, but the world's.
WORLD_WIDE = frozenset({"I2", "I14", "I14h", "I16", "I17"})
NAMES_OF_PORTFOLIOS = ("portfolio_id", "portfolio", "buyer", "seller", "debit_account", "credit_account")
PORTFOLIOS = """
SELECT portfolio_id FROM trading_ledgeraccount WHERE world_id = %s AND portfolio_id IS NOT NULL
ORDER BY portfolio_id"""

_encode = msgspec.json.Encoder(order="deterministic").encode


class Query(msgspec.Struct, frozen=True):
    name: str
    scope: Scope
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

    @property
    def portfolios(self) -> list[int]:
        """Whose books are in doubt; nobody's in particular when it is the world's."""
        if self.invariant in WORLD_WIDE:
            return []
        words = self.subject.split(" ")
        candidates = [words[1]] if words[0] in {"portfolio", "account"} else []
        candidates += [self.evidence.get(name) for name in NAMES_OF_PORTFOLIOS]
        return sorted({int(value) for value in candidates if value is not None and int(value) > 0})

    def digest(self, world: int) -> str:
        """SHA-256 of what was seen, in a canonical spelling: the same evidence has the same digest."""
        return hashlib.sha256(_encode([world, self.invariant, self.subject, self.evidence])).hexdigest()


class Heads(msgspec.Struct, frozen=True):
    """The last row of the journal, the fills and the transfers: full keys."""

    command: int
    fill: int
    transfer: int


class Span(msgspec.Struct, frozen=True):
    """What queries look at: rows after `after` up to `upto`, and these portfolios."""

    after: Heads
    upto: Heads
    portfolios: tuple[int, ...] = ()


def _load() -> tuple[Query, ...]:
    """A cheap query without a scope looks at the state, any other at the whole."""
    text = Path(__file__).parent.with_name("invariants.sql").read_text(encoding="utf-8")
    pattern = re.compile(
        r"^-- (I\w+)(?: (window|portfolios|state|whole))?( cheap)?: (.*)\n((?:(?!^-- I).*\n?)*)", re.MULTILINE
    )
    return tuple(
        Query(name, scope or ("state" if cheap else "whole"), bool(cheap), meaning, sql.strip().rstrip(";"))  # type: ignore[arg-type]
        for name, scope, cheap, meaning, sql in pattern.findall(text)
    )


QUERIES = _load()
BY_NAME = {query.name: query for query in QUERIES}


def of_scope(*scopes: Scope) -> list[Query]:
    return [query for query in QUERIES if query.scope in scopes]


def cheap() -> list[Query]:
    """What an exchange asserts before it serves."""
    return [query for query in QUERIES if query.cheap]


def beginning(world: int) -> Heads:
    """Before the first row of a world."""
    return Heads(*[ids.world_key(world, 0)] * 3)


def end(world: int) -> Heads:
    """After any row that a world can have."""
    return Heads(*[ids.world_key(world + 1, 0) - 1] * 3)


def find(
    connection: Connection, world: int, queries: Collection[Query] = QUERIES, span: Span | None = None
) -> Iterator[Found]:
    """What is broken, as the connection's running transaction sees it; without `span` in everything."""
    if span is None:
        everybody = connection.execute(PORTFOLIOS, (world,)).fetchall()
        span = Span(beginning(world), end(world), tuple(row[0] for row in everybody))
    values = parameters(world, span)
    for query in queries:
        cursor = connection.execute(query.sql, values)
        names = [column.name for column in cursor.description or ()]
        for row in cursor.fetchmany(BREAKS_KEPT_MAX):
            evidence = {name: _plain(value) for name, value in zip(names[1:], row[1:], strict=True)}
            yield Found(query.name, str(row[0]), evidence)


def parameters(world: int, span: Span) -> dict[str, Any]:
    values: dict[str, Any] = {
        "world": world,
        "low": ids.world_key(world, 0),
        "high": ids.world_key(world + 1, 0) - 1,
    }
    for name in ("command", "fill", "transfer"):
        values[f"{name}_low"] = getattr(span.after, name) + 1
        values[f"{name}_high"] = getattr(span.upto, name)
    return values | {"portfolios": list(span.portfolios)}


def _plain(value: Any) -> Any:
    """Evidence is JSON: whole numbers stay numbers, the rest becomes text."""
    if isinstance(value, Decimal):
        return int(value)
    return value if isinstance(value, int | str | None) else str(value)
