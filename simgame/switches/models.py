"""The switches that differ from their default, and every change there ever was."""

from __future__ import annotations

from django.db import models


class Switch(models.Model):
    key = models.CharField(max_length=60, primary_key=True)
    value = models.JSONField()
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.CharField(max_length=60, blank=True)  # player's name, "command" for manage.py

    class Meta:
        verbose_name_plural = "switches"

    def __str__(self) -> str:
        return self.key


class SwitchChange(models.Model):
    """Append-only (trigger). None as `new` means: back to the default."""

    key = models.CharField(max_length=60)
    old = models.JSONField(null=True)
    new = models.JSONField(null=True)
    at = models.DateTimeField(auto_now_add=True)
    by = models.CharField(max_length=60, blank=True)

    class Meta:
        indexes = [models.Index(fields=["key", "id"], name="switch_change_of_key")]

    def __str__(self) -> str:
        return f"{self.key}: {self.old} to {self.new}"
