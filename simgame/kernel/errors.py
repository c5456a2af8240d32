"""How SimGame says no: one class per refusal, each with a stable code.

`docs/errors.md` is generated from the subclasses (`manage.py error_catalogue`); a test holds it to
them. An app's refusals live in its `errors.py`.
"""

from __future__ import annotations

from typing import Any, ClassVar


class SimGameError(Exception):
    """A refusal that a person or a program can act on.

    code      stable string that clients may branch on
    status    HTTP status
    alpaca    the integer that Alpaca's clients expect in `code` on /v2
    title     what happened, in plain words, no full stop
    retryable whether the very same request may succeed later
    outcome   for writes: executed | not_executed | unknown
    """

    code: ClassVar[str] = "INTERNAL"
    status: ClassVar[int] = 500
    alpaca: ClassVar[int] = 50010000
    title: ClassVar[str] = "Something went wrong on our side"
    retryable: ClassVar[bool] = False
    outcome: ClassVar[str] = "not_executed"

    def __init__(
        self, detail: str = "", *, pointer: str = "", headers: dict[str, str] | None = None, **facts: Any
    ):
        self.detail = detail or f"{self.title}."
        self.pointer = pointer  # JSON pointer to the field at fault: "/qty"
        self.headers = headers or {}
        self.facts = facts  # the numbers that decided it, JSON values
        super().__init__(self.detail)


class Malformed(SimGameError):
    code, status, alpaca = "MALFORMED", 400, 40010000
    title = "The request cannot be read"


class Invalid(SimGameError):
    code, status, alpaca = "INVALID", 422, 40010001
    title = "A field has a value that cannot be used"


class Unauthenticated(SimGameError):
    code, status, alpaca = "UNAUTHENTICATED", 401, 40110000
    title = "Sign in first, or send a valid key or token"


class Forbidden(SimGameError):
    code, status, alpaca = "FORBIDDEN", 403, 40310000
    title = "You may not do this"


class NotFound(SimGameError):
    code, status, alpaca = "NOT_FOUND", 404, 40410000
    title = "There is nothing here under this name"


class MethodNotAllowed(SimGameError):
    code, status, alpaca = "METHOD_NOT_ALLOWED", 405, 40510000
    title = "This address does not answer to that method"


class VersionConflict(SimGameError):
    code, status, alpaca = "VERSION_CONFLICT", 412, 41210000
    title = "The row changed since you read it"


class RateLimited(SimGameError):
    code, status, alpaca, retryable = "RATE_LIMITED", 429, 42910000, True
    title = "Too many requests: wait a moment"


class Unavailable(SimGameError):
    code, status, alpaca, retryable = "UNAVAILABLE", 503, 50310000, True
    title = "A part of the game is not running just now"


def catalogue(root: type[SimGameError] = SimGameError) -> list[type[SimGameError]]:
    """Every refusal that has been imported, ordered by status and code."""
    found: set[type[SimGameError]] = set()
    todo = [root]
    while todo:
        for child in todo.pop().__subclasses__():
            found.add(child)
            todo.append(child)
    return sorted(found, key=lambda cls: (cls.status, cls.code))
