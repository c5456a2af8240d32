"""Writing down who did what. Entries are chained and never changed or deleted: triggers see to both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accounts import origin
from accounts.models import AuditEntry
from simgame.kernel import viewer

Facts = Mapping[str, Any]


@viewer.house()
def record(
    actor_id: int | None,
    action: str,
    subject: object = "",
    *,
    address: str | None = None,
    change: tuple[Facts | None, Facts | None] = (None, None),
    **facts: Any,
) -> None:
    """`actor_id` is a player, None the system; facts are JSON values, never secrets.

    `change`: fields before and after. From where: the running request (accounts.origin), or `address`.
    Later writers wait for the end of this transaction: record last, and wait for nobody after it.
    """
    here = origin.current()
    AuditEntry.objects.create(
        actor_id=actor_id,
        impersonator_id=here.impersonator_id,
        action=action,
        subject=str(subject)[:120],
        facts=facts,
        before=change[0],
        after=change[1],
        address=address or here.address,
        agent=here.agent,
    )
