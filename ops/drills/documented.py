"""Is this an answer that our documents know? The judge of the drill of bad input. Pure."""

from __future__ import annotations

from typing import Any

from ops.drills.nonsense import Asked
from ops.error_catalogue import documented
from simgame.kernel.errors import SimGameError
from trading.models.order import OPEN_STATUSES, TERMINAL_STATUSES

STATUSES = frozenset((*OPEN_STATUSES, *TERMINAL_STATUSES))
PROBLEM = "application/problem+json"
NEEDED = ("title", "detail", "status", "request_id")


class Judge:
    """`wrong` says what an answer has that no document knows; "" when all is well."""

    def __init__(self) -> None:
        self.known: dict[str, type[SimGameError]] = documented()

    def wrong(self, asked: Asked, status: int, headers: dict[str, str], body: Any) -> str:
        if status == 0:
            return "no answer"
        if status >= 500:
            return f"{status}: {body}"
        if status >= 400:
            return self._refusal(asked, status, headers, body)
        if asked.method == "DELETE":
            return "" if status == 204 else f"{status} for a cancel"
        if asked.path.endswith("/preview"):
            return "" if status == 200 and isinstance(body, dict) else f"{status} for a preview: {body}"
        fine = status == 200 and isinstance(body, dict) and body.get("id") and body.get("status") in STATUSES
        return "" if fine else f"{status} is no order: {body}"

    def _refusal(self, asked: Asked, status: int, headers: dict[str, str], body: Any) -> str:
        if not headers.get("content-type", "").startswith(PROBLEM) or not isinstance(body, dict):
            return f"{status} is no {PROBLEM}: {body}"
        code = body.get("reason") if asked.path.startswith("/v2") else body.get("code")
        cls = self.known.get(str(code))
        if cls is None:
            return f"the code {code} is not in the catalogue"
        if cls.status != status:
            return f"{code} came with {status}, the catalogue says {cls.status}"
        if asked.path.startswith("/v2") and body.get("code") != cls.alpaca:
            return f"{code} came with {body.get('code')}, the catalogue says {cls.alpaca}"
        missing = [name for name in NEEDED if not body.get(name)]
        return f"{code} does not say: {', '.join(missing)}" if missing else ""


def order_of(status: int, body: Any) -> dict[str, Any] | None:
    """The order that an answer tells of: accepted, or stored as rejected."""
    if not isinstance(body, dict):
        return None
    order = body.get("order") if status >= 400 else body
    return order if isinstance(order, dict) and "client_order_id" in order else None
