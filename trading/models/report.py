"""What the checker found."""

from __future__ import annotations

from django.db import models


class Reconciliation(models.Model):
    world = models.ForeignKey("market.World", models.CASCADE)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    checked = models.JSONField(default=dict)  # rows looked at, by kind
    breaks = models.IntegerField(default=0)


class Break(models.Model):
    reconciliation = models.ForeignKey(Reconciliation, models.CASCADE, related_name="rows")
    invariant = models.CharField(max_length=8)  # I1 … I20
    subject = models.CharField(max_length=120)
    evidence = models.JSONField()
