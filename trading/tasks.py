"""Celery's doors. Every task is idempotent: a redelivery changes nothing."""

from __future__ import annotations

from celery import shared_task

from simgame.kernel import clock
from trading import invariants, ranking
from trading.models import Game


@shared_task(ignore_result=True)
def reconcile_books() -> None:
    """Nightly: every invariant over everything, of every world; once a day, however often it is called."""
    invariants.nightly(clock.now().date())


@shared_task(ignore_result=True)
def rank_games() -> None:
    for game in Game.objects.filter(status=Game.Status.RUNNING).select_related("world"):
        ranking.rank(game)
