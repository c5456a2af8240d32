"""Orders and fills, as the exchange decided them. Only the exchange writes here."""

from __future__ import annotations

from django.db import models

from trading.models.stored import StoredJSON

OPEN_STATUSES = ("new", "partially_filled", "suspended", "held")
TERMINAL_STATUSES = ("filled", "canceled", "rejected", "expired")


class Order(models.Model):
    id = models.UUIDField(primary_key=True)  # version 7: sorts by time
    world = models.ForeignKey("market.World", models.PROTECT, db_constraint=False, db_index=False)
    portfolio = models.ForeignKey("trading.Portfolio", models.PROTECT, db_constraint=False, db_index=False)
    symbol = models.CharField(max_length=32)
    client_order_id = models.CharField(max_length=48)
    side = models.CharField(max_length=4)  # buy | sell
    type = models.CharField(max_length=16)  # market | limit | stop | stop_limit | trailing_stop
    time_in_force = models.CharField(max_length=3)  # day | gtc | gtd | ioc | fok | opg | cls
    qty = models.BigIntegerField()
    limit_price = models.BigIntegerField(null=True)
    status = models.CharField(max_length=16)
    reason = models.CharField(max_length=32, blank=True)  # code of the refusal, cancel or expiry
    filled_qty = models.BigIntegerField(default=0)
    filled_value = models.DecimalField(
        max_digits=40, decimal_places=0, default=0
    )  # sum of price x qty, scaled
    filled_cash = models.BigIntegerField(default=0)  # minor units, without fees
    fees = models.BigIntegerField(default=0)  # minor units charged so far
    reserved_cash = models.BigIntegerField(default=0)
    reserved_qty = models.BigIntegerField(default=0)
    queue_ahead = models.BigIntegerField(default=0)  # displayed size that still stands before it
    priority = models.BigIntegerField()  # time priority: the command that gave the order its place
    version = models.IntegerField(default=1)  # number of its events
    market_day = models.IntegerField()  # on which it was entered; day orders end with it
    submitted_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    receipt = StoredJSON(default=dict)  # what decided that it rests, ended or was refused
    # Stop price, trail, legs …: trading.engine.events.OrderTerms. NULL, which costs nothing, for most.
    terms = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["portfolio", "client_order_id"], name="order_client_id"),
            models.CheckConstraint(
                condition=models.Q(qty__gt=0, filled_qty__gte=0, filled_qty__lte=models.F("qty")),
                name="order_qty",
            ),
            models.CheckConstraint(
                condition=models.Q(status="filled", filled_qty=models.F("qty"))
                | (~models.Q(status="filled") & models.Q(filled_qty__lt=models.F("qty"))),
                name="order_filled",
            ),
            models.CheckConstraint(
                condition=~models.Q(status__in=TERMINAL_STATUSES) | models.Q(reserved_cash=0, reserved_qty=0),
                name="order_released",
            ),
            models.CheckConstraint(
                condition=~models.Q(status__in=("new", "rejected")) | models.Q(filled_qty=0),
                name="order_unfilled",
            ),
        ]
        indexes = [
            models.Index(fields=["portfolio", "id"], name="order_of_portfolio"),
            models.Index(fields=["world"], condition=models.Q(status__in=OPEN_STATUSES), name="order_open"),
        ]


class Fill(models.Model):
    """One side of one execution. A match between two players makes two rows with one `match`."""

    id = models.BigIntegerField(primary_key=True)  # world_key(world, n), n dense from 1
    match = models.BigIntegerField()  # id of the first row of the match
    seq = models.BigIntegerField()  # the command that caused it
    order = models.ForeignKey(Order, models.PROTECT, db_constraint=False)
    portfolio = models.ForeignKey("trading.Portfolio", models.PROTECT, db_constraint=False, db_index=False)
    symbol = models.CharField(max_length=32)
    side = models.CharField(max_length=4)
    price = models.BigIntegerField()
    qty = models.BigIntegerField()
    cash = models.BigIntegerField()  # price x qty in minor units
    fees = models.JSONField(default=list)  # [[name, minor units], …]
    fee = models.BigIntegerField()  # their sum
    against = models.CharField(max_length=8)  # market | player
    market_day = models.IntegerField()
    at = models.DateTimeField()
    receipt = StoredJSON()
    reverses = models.BigIntegerField(null=True)  # the fill it takes back (ExecType H)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(price__gt=0, qty__gt=0), name="fill_positive"),
            # Partial: the many that take nothing back cost no index entry.
            models.UniqueConstraint(
                fields=["reverses"], condition=models.Q(reverses__isnull=False), name="fill_reversed_once"
            ),
        ]
        indexes = [models.Index(fields=["portfolio", "id"], name="fill_of_portfolio")]
