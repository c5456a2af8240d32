"""What the checker looked at, and what it found."""

from __future__ import annotations

from django.db import models

from simgame.kernel import clock


class Reconciliation(models.Model):
    """One run of the checker over a world, as of one snapshot of the database."""

    class Kind(models.TextChoices):
        FULL = "full"
        INCREMENTAL = "incremental"
        NIGHTLY = "nightly"
        CONTINUOUS = "continuous"  # the checker beside the exchange: kept only when it found something
        BATCH = "batch"  # the exchange itself, before it wrote a batch: nothing of it was written

    world = models.ForeignKey("market.World", models.CASCADE)
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.FULL)
    business_date = models.DateField(null=True)  # of a nightly run: one a world and day
    since_seq = models.BigIntegerField(default=0)  # commands after this one were looked at
    until_seq = models.BigIntegerField(default=0)  # the journal's head in the snapshot
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    checked = models.JSONField(default=dict)  # rows looked at, by kind
    coverage = models.JSONField(default=dict)  # percent of portfolios, orders and cash volume verified
    breaks = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["world", "business_date"],
                condition=models.Q(business_date__isnull=False),
                name="reconciliation_once_a_day",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.started_at:%Y-%m-%d %H:%M:%S}"


class Break(models.Model):
    """An invariant that did not hold, with what was seen. Never repaired here: a person explains it."""

    class State(models.TextChoices):
        OPEN = "open"
        EXPLAINED = "explained"

    reconciliation = models.ForeignKey(Reconciliation, models.CASCADE, related_name="rows")
    world = models.ForeignKey("market.World", models.CASCADE, related_name="breaks")
    invariant = models.CharField(max_length=8)  # I1 … I20
    subject = models.CharField(max_length=120)
    evidence = models.JSONField()  # the row that the query found
    query = models.TextField(default="")  # the SQL that found it
    seq = models.BigIntegerField(default=0)  # the journal's head in the snapshot
    digest = models.CharField(max_length=64, default="")  # SHA-256 of invariant, subject and evidence
    portfolios = models.JSONField(default=list)  # whose books are in doubt; none: the world's
    state = models.CharField(max_length=9, choices=State, default=State.OPEN)
    found_at = models.DateTimeField(default=clock.now)
    seen_at = models.DateTimeField(default=clock.now)  # when it was found last
    frozen_at = models.DateTimeField(null=True)  # when the exchange had stopped what is in doubt
    explanation = models.TextField(blank=True, default="")
    explained_by = models.CharField(max_length=150, blank=True, default="")
    explained_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["world", "invariant", "subject"],
                condition=models.Q(state="open"),
                name="break_open_once",
            )
        ]
        indexes = [models.Index(fields=["world", "state"], name="break_of_world")]

    def __str__(self) -> str:
        return f"{self.invariant} {self.subject}"


class CheckerState(models.Model):
    """How far the checker beside the exchange has come in a world. One row per world."""

    world = models.OneToOneField("market.World", models.CASCADE, primary_key=True)
    beat_at = models.DateTimeField(null=True)  # end of the last pass
    seq = models.BigIntegerField(default=0)  # everything up to this command was looked at
    passes = models.BigIntegerField(default=0)
    pass_ms = models.IntegerField(default=0)
    round_at = models.DateTimeField(null=True)  # when everything had been looked at once more
    round_ms = models.BigIntegerField(default=0)  # from the round's beginning to its end
    coverage = models.JSONField(default=dict)  # of the round under way, or of the last one at its end
    open_breaks = models.IntegerField(default=0)
    why = models.TextField(blank=True, default="")  # why it cannot look, if it cannot
