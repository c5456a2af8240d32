"""Named lists of symbols: of the desk and of bots. The oldest of a portfolio is its ordinary one."""

from __future__ import annotations

from django.db import models

from simgame.kernel.ids import uuid7
from trading.models.game import Portfolio


class Watchlist(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7)
    portfolio = models.ForeignKey(Portfolio, models.CASCADE, related_name="watchlists")
    name = models.CharField(max_length=64)
    symbols = models.JSONField(default=list)  # in their order
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["portfolio", "name"], name="watchlist_name")]

    def __str__(self) -> str:
        return self.name
