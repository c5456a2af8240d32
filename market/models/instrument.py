"""A thing traded in a world, with the scale of its numbers."""

from __future__ import annotations

import uuid

from django.db import models

from market.models.world import World


class Instrument(models.Model):
    class Kind(models.TextChoices):
        STOCK = "stock"
        ETF = "etf"
        FUTURE = "future"
        FX = "fx"
        CRYPTO = "crypto"
        INDEX = "index"

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)  # Alpaca's asset_id
    world = models.ForeignKey(World, models.CASCADE, related_name="instruments")
    symbol = models.CharField(max_length=32)  # unique in its world, also its asset name in the ledger
    name = models.CharField(max_length=80)
    name_zh = models.CharField(max_length=80, blank=True)
    kind = models.CharField(max_length=8, choices=Kind)
    venue = models.CharField(max_length=12, blank=True)  # SSE, SHFE, …: whose rules, where a book has several
    board = models.SlugField(max_length=16, default="main")  # which rows of the rulebook bind it
    product = models.CharField(max_length=16, blank=True)  # rb, IF: of futures; bond, gold, …: of ETFs
    sector = models.CharField(max_length=40, blank=True)
    currency = models.CharField(max_length=8)
    price_exponent = models.PositiveSmallIntegerField()
    qty_exponent = models.PositiveSmallIntegerField(default=0)
    tick = models.BigIntegerField()  # smallest price step, scaled
    lot = models.BigIntegerField()  # buys are multiples of it, scaled
    multiplier = models.BigIntegerField(default=1)  # cash per price point and unit
    previous_close = models.BigIntegerField(default=0)  # before the world's first market day, scaled
    special_treatment = models.BooleanField(default=False)  # ST
    listed_on = models.DateField(null=True, blank=True)
    expires_on = models.DateField(null=True, blank=True)  # the last trading day of a contract
    tradable = models.BooleanField(default=True)
    why_not_tradable = models.CharField(max_length=120, blank=True)
    halted = models.BooleanField(default=False)
    halt_reason = models.CharField(max_length=200, blank=True, db_default="", default="")
    quote_age_ms_max = models.PositiveIntegerField(default=15_000)  # older quotes fill nothing (wall time)

    class Meta:
        ordering = ["world", "symbol"]
        constraints = [
            models.UniqueConstraint(fields=["world", "symbol"], name="instrument_symbol"),
            models.CheckConstraint(
                condition=models.Q(tick__gt=0, lot__gt=0, multiplier__gt=0), name="instrument_steps"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} ({self.name})"
