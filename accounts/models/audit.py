"""What was done, by whom, from where: append-only and hash-chained, both by triggers (migration 0003)."""

from __future__ import annotations

from django.db import models


class AuditEntry(models.Model):
    """One act. `id` and the chain are set by the trigger, whatever the writer sends."""

    at = models.DateTimeField(auto_now_add=True)
    actor_id = models.BigIntegerField(null=True)  # player; null for the system
    impersonator_id = models.BigIntegerField(null=True)  # the superuser who acted as `actor_id`
    action = models.CharField(max_length=60)  # "key.make", "login.revoke", …
    subject = models.CharField(max_length=120, blank=True)
    facts = models.JSONField(default=dict)
    before = models.JSONField(null=True)  # fields that changed, as they were
    after = models.JSONField(null=True)  # … and as they are since
    address = models.GenericIPAddressField(null=True)
    agent = models.CharField(max_length=200, blank=True)  # User-Agent
    previous = models.BinaryField(max_length=32, editable=False, default=bytes)  # `hash` of the entry before
    hash = models.BinaryField(max_length=32, editable=False, default=bytes)  # SHA-256: accounts.chain

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["actor_id", "id"], name="audit_of_actor")]


class AuditHead(models.Model):
    """One row: the last entry and its hash. Who writes an entry holds it, so that there is one order."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    last = models.BigIntegerField()
    hash = models.BinaryField(max_length=32)
