"""What follows a break: evidence, an alert, a freeze. Never a repair: a person explains it, then lifts it."""

from __future__ import annotations

from collections.abc import Collection

import structlog
from django.db import transaction

from market.models import World
from simgame.kernel import clock
from trading.engine.commands import Freeze
from trading.engine.invariants import Breach
from trading.exchange.client import ask_sync
from trading.exchange.wire import Quarantine
from trading.invariants.queries import BY_NAME, Found
from trading.models import Break, Portfolio, Reconciliation

log = structlog.get_logger(__name__)
ASK_TIMEOUT_S = 3.0
SUBJECT_CHARS = 120
TOLD = "The books of this portfolio are being checked."
RELEASED = "The books of this portfolio were checked."


def store(run: Reconciliation, found: Collection[Found], seq: int) -> list[Break]:
    """Keep the evidence of what was not known yet; those breaks.

    An open break is one row however often it is found. What somebody has explained stays explained as long
    as its evidence is the same.
    """
    return [row for each in found if (row := _stored(run, each, seq)) is not None]


def store_breaches(world: World, breaches: Collection[Breach], seq: int) -> None:
    """What an exchange found in a batch before it was written. The checker freezes what it names."""
    now = clock.now()
    run = Reconciliation.objects.create(
        world=world,
        kind=Reconciliation.Kind.BATCH,
        started_at=now,
        finished_at=now,
        until_seq=seq,
        breaks=len(breaches),
    )
    store(run, [Found(each.invariant, each.subject, each.facts) for each in breaches], seq)


def _stored(run: Reconciliation, found: Found, seq: int) -> Break | None:
    now, digest, subject = clock.now(), found.digest(run.world.number), found.subject[:SUBJECT_CHARS]
    same = Break.objects.filter(world=run.world, invariant=found.invariant, subject=subject)
    if same.filter(state=Break.State.OPEN).update(seen_at=now):
        return None
    if same.filter(digest=digest).update(seen_at=now):
        return None
    query = BY_NAME.get(found.invariant)
    row = Break(
        reconciliation=run,
        world=run.world,
        invariant=found.invariant,
        subject=subject,
        evidence=found.evidence,
        query=query.sql if query and run.kind != Reconciliation.Kind.BATCH else "",
        seq=seq,
        digest=digest,
        portfolios=found.portfolios,
    )
    if not Break.objects.bulk_create([row], ignore_conflicts=True):
        return None
    log.critical(
        "books_broken",
        world=run.world.slug,
        invariant=found.invariant,
        subject=subject,
        evidence=found.evidence,
        seq=seq,
    )
    return row


def stop_what_is_in_doubt(world: World) -> list[int]:
    """Freeze what open breaks name and is not frozen yet, by the exchange's own commands.

    The portfolios that are frozen now because of it. An exchange that does not answer is asked again by the
    next pass; one that starts looks at the open breaks itself.
    """
    frozen: list[int] = []
    for row in Break.objects.filter(world=world, state=Break.State.OPEN, frozen_at=None):
        if row.portfolios:
            done = [each for each in row.portfolios if _freeze(world, each, row)]
            frozen += done
            complete = len(done) == len(row.portfolios)
        else:
            complete = _quarantine(world, f"{row.invariant} {row.subject}")
        if complete:
            Break.objects.filter(pk=row.pk).update(frozen_at=clock.now())
    return sorted(set(frozen))


def explain(row: Break, by: str, explanation: str) -> str:
    """Somebody has found out what it was. Lifts the freeze where no other break is open; says what it did.

    Raises ValueError without an explanation.
    """
    if not explanation.strip():
        raise ValueError("Say what it was: without an explanation nothing is released.")
    with transaction.atomic():
        Break.objects.filter(pk=row.pk).update(
            state=Break.State.EXPLAINED, explanation=explanation, explained_by=by, explained_at=clock.now()
        )
    log.warning("break_explained", world=row.world.slug, invariant=row.invariant, subject=row.subject, by=by)
    return _release(row)


def _release(row: Break) -> str:
    still = Break.objects.filter(world=row.world, state=Break.State.OPEN).exclude(pk=row.pk)
    if not row.portfolios:
        others = [each for each in still if not each.portfolios]
        if others:
            return f"The exchange stays cancel-only: {len(others)} other breaks of the world are open."
        lifted = ask_sync(row.world.number, Quarantine(""), timeout_s=ASK_TIMEOUT_S).outcome == "executed"
        return "The exchange reads its books anew." if lifted else "The exchange does not answer."
    doubted = {each for other in still for each in other.portfolios}
    free = [each for each in row.portfolios if each not in doubted]
    done = [each for each in free if _freeze(row.world, each, row, frozen=False)]
    if len(done) < len(free):
        return "The exchange does not answer: release it again later."
    kept = len(row.portfolios) - len(free)
    return f"{len(done)} portfolios are active again" + (f", {kept} in doubt for more." if kept else ".")


def _freeze(world: World, portfolio: int, row: Break, *, frozen: bool = True) -> bool:
    status = Portfolio.Status.FROZEN if frozen else Portfolio.Status.ACTIVE
    if not Portfolio.objects.exclude(status=status).filter(pk=portfolio).exists():
        return True  # it is so already, or no longer exists
    key = f"break-{row.pk or row.digest[:16]}-{'freeze' if frozen else 'release'}"
    reply = ask_sync(
        world.number, Freeze(portfolio, frozen, TOLD if frozen else RELEASED, key), ASK_TIMEOUT_S
    )
    log.critical(
        "portfolio_in_doubt" if frozen else "portfolio_released",
        portfolio=portfolio,
        invariant=row.invariant,
        outcome=reply.outcome,
        code=reply.code,
    )
    return reply.outcome == "executed" or reply.code == "UNKNOWN_ACCOUNT"


def _quarantine(world: World, why: str) -> bool:
    reply = ask_sync(world.number, Quarantine(why), timeout_s=ASK_TIMEOUT_S)
    log.critical("world_in_doubt", world=world.slug, why=why, outcome=reply.outcome, code=reply.code)
    return reply.outcome == "executed"
