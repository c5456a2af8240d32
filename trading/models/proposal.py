"""What needs two people: one proposes, another approves. The database refuses the same person twice."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class Proposal(models.Model):
    """`kind` and `payload` say what would be done, and never change once written (trigger)."""

    class Status(models.TextChoices):
        PROPOSED = "proposed"
        APPROVED = "approved"  # and not applied yet: the exchange was away, or said no
        APPLIED = "applied"
        WITHDRAWN = "withdrawn"

    world = models.ForeignKey("market.World", models.PROTECT, related_name="proposals")
    kind = models.CharField(max_length=24)  # trading.proposals.KINDS
    payload = models.JSONField()
    reason = models.CharField(max_length=200)  # players are told it
    status = models.CharField(max_length=9, choices=Status, default=Status.PROPOSED)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="proposed")
    proposed_at = models.DateTimeField(auto_now_add=True)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="approved"
    )
    approved_at = models.DateTimeField(null=True, blank=True)
    applied_at = models.DateTimeField(null=True, blank=True)
    result = models.JSONField(default=dict, blank=True)  # what the exchange answered
    undoes = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="undone_by")

    class Meta:
        ordering = ["-id"]
        permissions = [("approve_proposal", "Can approve what another person proposed")]
        constraints = [
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("proposed_by")),
                name="proposal_two_persons",
                violation_error_message="Another person must approve it than the one who proposed it.",
            ),
            models.CheckConstraint(
                condition=Q(status__in=("proposed", "withdrawn")) | Q(approved_by__isnull=False),
                name="proposal_approved_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(status="applied", applied_at__isnull=False)
                | (~Q(status="applied") & Q(applied_at__isnull=True)),
                name="proposal_applied_at",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}: {self.reason}"

    @property
    def client_id(self) -> str:
        """The key of its command: once, for ever."""
        return f"proposal-{self.pk}"
