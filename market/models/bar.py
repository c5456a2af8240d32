"""Open, high, low, close, volume of one interval. Start inclusive, end exclusive."""

from __future__ import annotations

from django.db import models

from market.models.instrument import Instrument


class Bar(models.Model):
    class Interval(models.TextChoices):
        S1 = "1s"
        M1 = "1m"
        M5 = "5m"
        M15 = "15m"
        H1 = "1h"
        D1 = "1d"

    pk = models.CompositePrimaryKey("instrument_id", "interval", "start")
    instrument = models.ForeignKey(Instrument, models.CASCADE, db_constraint=False)
    interval = models.CharField(max_length=3, choices=Interval)
    start = models.DateTimeField()  # world time
    open = models.BigIntegerField()
    high = models.BigIntegerField()
    low = models.BigIntegerField()
    close = models.BigIntegerField()
    volume = models.BigIntegerField()  # scaled quantity
    turnover = models.DecimalField(max_digits=40, decimal_places=0)  # sum of price x size, both scaled
    prints = models.IntegerField()
    partial = models.BooleanField(default=False)  # built over a gap
