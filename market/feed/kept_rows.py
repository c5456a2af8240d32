"""What a seeded market happened to go through, into its tables. Idempotent: written twice is written once."""

from __future__ import annotations

from django.db import transaction

from market.models import MarketEvent, TickMark
from market.sources.base import Kept
from simgame.kernel import clock


@transaction.atomic
def write(world_number: int, kept: Kept) -> None:
    """In the database's thread."""
    MarketEvent.objects.bulk_create(
        [
            MarketEvent(
                world_id=world_number,
                life=kept.life,
                n=event.n,
                step=event.step,
                what=event.what,
                detail=event.detail,
                at=clock.from_ns(kept.start_ns + event.step * kept.step_ns),
            )
            for event in kept.events
        ],
        ignore_conflicts=True,
    )
    TickMark.objects.bulk_create(
        [
            TickMark(
                world_id=world_number, life=kept.life, step=mark.step, ticks=mark.ticks, digest=mark.digest
            )
            for mark in kept.marks
        ],
        ignore_conflicts=True,
    )
