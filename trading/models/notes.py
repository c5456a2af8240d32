"""What players keep for themselves beside their books: notes, alerts, a curve. No money moves here."""

from __future__ import annotations

from django.db import models

TEXT_MAX = 4_000  # of a note: two screens of writing


class JournalNote(models.Model):
    """A note on an order, on a day, or on neither."""

    portfolio = models.ForeignKey("trading.Portfolio", models.CASCADE, related_name="notes")
    text = models.CharField(max_length=TEXT_MAX)
    tags = models.JSONField(default=list)  # lower case, without the hash
    order_id = models.UUIDField(null=True)
    symbol = models.CharField(max_length=32, blank=True)
    day = models.DateField(null=True)  # of the market's calendar
    version = models.IntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["portfolio", "-id"], name="note_of_portfolio")]


class Alert(models.Model):
    """A price at which the player wants to be told, once."""

    class Way(models.TextChoices):
        ABOVE = "above"  # a trade at the price or higher
        BELOW = "below"

    portfolio = models.ForeignKey("trading.Portfolio", models.CASCADE, related_name="alerts")
    symbol = models.CharField(max_length=32)
    way = models.CharField(max_length=5, choices=Way)
    price = models.BigIntegerField()  # scaled as the instrument's
    since = models.DateTimeField()  # world time when it was made
    created_at = models.DateTimeField(auto_now_add=True)
    fired_at = models.DateTimeField(null=True)
    fired_price = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.CheckConstraint(condition=models.Q(price__gt=0), name="alert_price")]
        indexes = [
            models.Index(fields=["portfolio", "-id"], name="alert_of_portfolio"),
            models.Index(fields=["symbol"], condition=models.Q(fired_at=None), name="alert_waiting"),
        ]


class EquityPoint(models.Model):
    """What a portfolio was worth at a moment: a point of its curve, minor units of the game's currency."""

    portfolio = models.ForeignKey("trading.Portfolio", models.CASCADE, related_name="curve", db_index=False)
    at = models.DateTimeField()
    market_day = models.IntegerField()
    equity = models.BigIntegerField()
    exposure = models.BigIntegerField(default=0)  # worth of long holdings and, absolutely, short ones

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["portfolio", "at"], name="equity_point_once"),
        ]
