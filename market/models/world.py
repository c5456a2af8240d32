"""A universe of instruments with one clock, one rulebook and its sources."""

from __future__ import annotations

from django.db import models


class World(models.Model):
    class Kind(models.TextChoices):
        SEEDED = "seeded"
        REPLAY = "replay"
        LIVE = "live"

    number = models.AutoField(primary_key=True)  # high bits of the world's row keys: kernel.ids.world_key
    slug = models.SlugField(max_length=64, unique=True)  # "seeded", "replay-binance-20211012"
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=8, choices=Kind)
    currency = models.CharField(max_length=8)  # of cash, fees and equity
    rulebook = models.SlugField(max_length=32)  # market.rulebook.load(name)
    timezone = models.CharField(max_length=40, default="UTC")
    recording = models.CharField(max_length=500, blank=True)  # where a replay reads from
    options = models.JSONField(default=dict, blank=True)  # seed, hours, speed, date: what the sources need
    stream_epoch = models.CharField(max_length=16)  # changed when history is lost (restore)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return self.slug
