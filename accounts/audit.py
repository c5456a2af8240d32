"""Writing down who did what. Entries are never changed or deleted: a trigger refuses it."""

from __future__ import annotations

from typing import Any

from accounts.models import AuditEntry


def record(
    actor_id: int | None, action: str, subject: object = "", *, address: str | None = None, **facts: Any
) -> None:
    """`actor_id` is a player, None the system; facts are JSON values, never secrets."""
    AuditEntry.objects.create(
        actor_id=actor_id, action=action, subject=str(subject)[:120], facts=facts, address=address
    )
