"""What the exchange process needs of the database: its lease, its journal, its private streams."""

from __future__ import annotations

from django.db import models

from trading.models.stored import StoredJSON


class ExchangeLease(models.Model):
    """One row per world; every batch checks `epoch` first, FOR SHARE (reliability: fencing)."""

    world = models.OneToOneField("market.World", models.PROTECT, primary_key=True)
    epoch = models.BigIntegerField(default=0)
    holder = models.CharField(max_length=120, blank=True)
    address = models.CharField(max_length=200, blank=True)  # unix:<path>
    beat_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=12, default="stopped")  # recovering | serving | quarantined | stopped
    why = models.TextField(blank=True)


class Command(models.Model):
    """The journal: every command that changed the books, in the order it was applied."""

    id = models.BigIntegerField(primary_key=True)  # world_key(world, seq), seq dense from 1
    epoch = models.BigIntegerField()
    portfolio_id = models.BigIntegerField(null=True)
    kind = models.CharField(max_length=16)
    client_id = models.CharField(max_length=64, null=True)  # the caller's key, unique per portfolio and kind
    fingerprint = models.BinaryField(null=True)  # SHA-256 of the meaningful fields
    payload = StoredJSON()
    result = StoredJSON()
    tick_seq = models.BigIntegerField(default=0)  # last feed tick that had been applied before it
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["portfolio_id", "kind", "client_id"], name="command_once"),
        ]


class Heard(models.Model):
    """What the engine heard between commands and answered nothing to: ticks, rules, phases.

    `page` is zlib over msgpack `[[seq, at_ns, tick], …]`: each was applied before command `seq`, at
    engine time `at_ns`. With the commands it is all that the engine decides from.
    """

    world = models.ForeignKey("market.World", models.PROTECT, db_constraint=False, db_index=False)
    seq = models.BigIntegerField()  # of the first entry
    page = models.BinaryField()

    class Meta:
        indexes = [models.Index(fields=["world", "id"], name="heard_of_world")]


class AccountEvent(models.Model):
    """The private stream of a portfolio: whole rows, `seq` dense from 1. Topic `portfolio:<id>`.

    `rows` is written by trading.messages.events; events of older releases have the message itself in `body`.
    trading.account_events reads both.
    """

    pk = models.CompositePrimaryKey("portfolio_id", "seq")
    portfolio_id = models.BigIntegerField()
    seq = models.BigIntegerField()
    command = models.BigIntegerField()  # Command.id
    body = StoredJSON(null=True)
    rows = models.TextField(null=True)
    noticed = models.BooleanField(default=False)  # it tells something in words
