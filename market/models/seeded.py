"""What a seeded market's ticks follow from besides its seed, and marks to compare them by."""

from __future__ import annotations

from django.db import models

from market.models.world import World


class MarketEvent(models.Model):
    """Something that happened to a seeded market: market.simulation.events. Append-only."""

    pk = models.CompositePrimaryKey("world_id", "life", "n")
    world = models.ForeignKey(World, models.CASCADE, related_name="market_events")
    life = models.IntegerField()  # how often the world's market began anew before
    n = models.IntegerField()  # dense from 1 in each life
    step = models.BigIntegerField()  # it happened after this step
    what = models.CharField(max_length=12)
    detail = models.JSONField()
    at = models.DateTimeField()  # world time

    class Meta:
        ordering = ["world", "life", "n"]

    def __str__(self) -> str:
        return f"{self.life}.{self.n} {self.what}"


class TickMark(models.Model):
    """SHA-256 over all ticks of a life up to a step: whoever recomputes them gets the same."""

    pk = models.CompositePrimaryKey("world_id", "life", "step")
    world = models.ForeignKey(World, models.CASCADE, related_name="tick_marks")
    life = models.IntegerField()
    step = models.BigIntegerField()
    ticks = models.BigIntegerField()
    digest = models.CharField(max_length=64)

    class Meta:
        ordering = ["world", "life", "step"]

    def __str__(self) -> str:
        return f"{self.life} up to step {self.step}"


class Season(models.Model):
    """A seeded world whose seed is hidden while it is played: its hash is published before, it after."""

    world = models.OneToOneField(World, models.CASCADE, primary_key=True, related_name="season")
    commitment = models.CharField(max_length=64, unique=True)  # market.season.commitment_of
    seed = models.CharField(max_length=80)  # shown to nobody before `revealed_at`
    model = models.CharField(max_length=20)
    code = models.CharField(max_length=64)  # market.simulation.code_hash
    rules = models.CharField(max_length=64)  # SHA-256 of the rulebook's file
    sealed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    revealed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.world_id}: {self.commitment[:12]}"
