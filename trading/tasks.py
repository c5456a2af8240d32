"""Celery's doors. Every task is idempotent: a redelivery changes nothing."""

from __future__ import annotations

from celery import shared_task

from market.models import World
from simgame.kernel import clock
from trading import alerts, curve, halts, hosting, invariants, luck, standings
from trading.models import Game


@shared_task(ignore_result=True)
def reconcile_books() -> None:
    """Nightly: every invariant over everything, of every world; once a day, however often it is called."""
    invariants.nightly(clock.now().date())


@shared_task(ignore_result=True)
def rank_games() -> None:
    for game in Game.objects.filter(status=Game.Status.RUNNING).select_related("world"):
        standings.renew(game)


@shared_task(ignore_result=True)
def judge_luck() -> None:
    for game in Game.objects.filter(status=Game.Status.RUNNING):
        luck.judge(game)


@shared_task(ignore_result=True)
def look_at_alerts() -> None:
    alerts.look()


@shared_task(ignore_result=True)
def end_due_games() -> None:
    hosting.end_due()


@shared_task(ignore_result=True)
def thin_curves() -> None:
    curve.thin()


@shared_task(ignore_result=True)
def end_halt(world_number: int, symbols: list[str]) -> None:
    """A scenario's halt is over; who was let go on before is left alone."""
    world = World.objects.get(number=world_number)
    for symbol in world.instruments.filter(symbol__in=symbols, halted=True).values_list("symbol", flat=True):
        halts.resume(world, symbol, by=None)
