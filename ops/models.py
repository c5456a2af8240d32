"""Background work that failed for good."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class DeadLetter(models.Model):
    """A task with its arguments, and why it failed; the same failure again counts up."""

    class State(models.TextChoices):
        OPEN = "open"
        RETRIED = "retried"
        SET_ASIDE = "set aside"

    task = models.CharField(max_length=120)
    args = models.JSONField(default=list)
    kwargs = models.JSONField(default=dict)
    fingerprint = models.CharField(max_length=64)  # SHA-256 of the three
    error = models.CharField(max_length=500)
    traceback = models.TextField(blank=True)
    times = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    settled_at = models.DateTimeField(null=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_constraint=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["fingerprint"], condition=models.Q(state="open"), name="one_open_letter_per_work"
            )
        ]
        indexes = [models.Index(fields=["-last_at"], name="letters_by_age")]

    def __str__(self) -> str:
        return f"{self.task} #{self.pk}"
