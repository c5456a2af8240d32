"""What was done, by whom: append-only (trigger)."""

from __future__ import annotations

from django.db import models


class AuditEntry(models.Model):
    at = models.DateTimeField(auto_now_add=True)
    actor_id = models.BigIntegerField(null=True)  # player; null for the system
    action = models.CharField(max_length=60)  # "key.make", "login.revoke", …
    subject = models.CharField(max_length=120, blank=True)
    facts = models.JSONField(default=dict)
    address = models.GenericIPAddressField(null=True)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["actor_id", "id"], name="audit_of_actor")]
