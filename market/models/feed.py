"""Which feed process serves a world, and what its quality gate refused."""

from __future__ import annotations

from django.db import models

from market.models.world import World


class FeedLease(models.Model):
    """One row per world. The feed that bumped `epoch` last is the one that serves."""

    world = models.OneToOneField(World, models.CASCADE, primary_key=True)
    epoch = models.BigIntegerField(default=0)
    holder = models.CharField(max_length=120, blank=True)
    address = models.CharField(max_length=200, blank=True)  # unix:<path>
    beat_at = models.DateTimeField(null=True)  # wall time of the last sign of life
    paused = models.BooleanField(default=False)  # wanted state: the feed obeys within a second
    speed = models.PositiveIntegerField(default=1)


class Quarantined(models.Model):
    """A tick that the gate refused: kept to be looked at (bounded), never a fill."""

    world = models.ForeignKey(World, models.CASCADE)
    at = models.DateTimeField(auto_now_add=True)
    source = models.CharField(max_length=32)
    reason = models.CharField(max_length=32)
    payload = models.JSONField()
