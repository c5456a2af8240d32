"""Celery's doors. Every task is idempotent: a redelivery changes nothing."""

from __future__ import annotations

import structlog
from celery import shared_task

from trading import invariants, ranking
from trading.models import Game

log = structlog.get_logger()


@shared_task(ignore_result=True)
def reconcile_books() -> None:
    """Nightly: every invariant over everything, of every world."""
    for report in invariants.reconcile_all():
        log.info("books reconciled", world=report.world.slug, breaks=report.breaks)


@shared_task(ignore_result=True)
def rank_games() -> None:
    for game in Game.objects.filter(status=Game.Status.RUNNING).select_related("world"):
        ranking.rank(game)
