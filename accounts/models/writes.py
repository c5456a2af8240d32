"""What a write was answered, so that the same request again gets the same answer."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class FirstAnswer(models.Model):
    """Of the request that came under this Idempotency-Key; kept for a day."""

    player = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)  # SHA-256 of method, path, portfolio and body
    status = models.PositiveSmallIntegerField(default=0)
    body = models.TextField(blank=True)  # JSON as it was sent
    etag = models.CharField(max_length=80, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["player", "key"], name="one_answer_per_key")]
        indexes = [models.Index(fields=["at"], name="answers_by_age")]
