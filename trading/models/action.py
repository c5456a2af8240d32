"""What corporate actions did to the books. Only the exchange writes here."""

from __future__ import annotations

from django.db import models


class AppliedAction(models.Model):
    """Where an action stands; its key is that of `market.CorporateAction`, which announced it."""

    class Status(models.TextChoices):
        OPEN = "open"  # its pay date, or the last day of its rights, is still to come
        APPLIED = "applied"
        REVERSED = "reversed"

    pk = models.CompositePrimaryKey("world_id", "key")
    world_id = models.BigIntegerField()
    key = models.CharField(max_length=22)
    symbol = models.CharField(max_length=32)
    status = models.CharField(max_length=8, choices=Status)
    payload = models.JSONField()  # the command that applied it


class ActionEntry(models.Model):
    """What one step of an action changed in one position: append-only (trigger)."""

    world = models.ForeignKey("market.World", models.PROTECT, db_constraint=False, db_index=False)
    seq = models.BigIntegerField()  # the command
    key = models.CharField(max_length=22)
    step = models.CharField(max_length=8)  # ex | settle | exercise | reverse
    portfolio = models.ForeignKey("trading.Portfolio", models.PROTECT, db_constraint=False)
    symbol = models.CharField(max_length=32)
    qty = models.BigIntegerField()
    cash = models.BigIntegerField()
    cost = models.BigIntegerField()
    realised = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["world", "key"], name="entry_of_action")]
