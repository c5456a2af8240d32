"""From where the running request comes: kept beside it, so that no writer of an audit entry forgets it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import ValidationError
from django.core.validators import validate_ipv46_address
from django.http import HttpRequest, HttpResponse

AGENT_CHARS_MAX: Final = 200


class Origin(NamedTuple):
    address: str | None = None
    agent: str = ""
    impersonator_id: int | None = None


NOWHERE: Final = Origin()  # a command, a background task
_of_request: ContextVar[Origin] = ContextVar("origin", default=NOWHERE)


def current() -> Origin:
    return _of_request.get()


def impersonated_by(superuser_id: int) -> None:
    """What the running request does, it does as somebody else: `superuser_id` answers for it."""
    _of_request.set(_of_request.get()._replace(impersonator_id=superuser_id))


def of(request: HttpRequest) -> Origin:
    agent = request.META.get("HTTP_USER_AGENT", "").replace("\x00", "")[:AGENT_CHARS_MAX]
    return Origin(_address(request.META.get("REMOTE_ADDR")), agent)


def middleware(
    get_response: Callable[[HttpRequest], Awaitable[HttpResponse]] | Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], Any]:
    if iscoroutinefunction(get_response):

        async def asynchronous(request: HttpRequest) -> HttpResponse:
            _of_request.set(of(request))
            return await get_response(request)

        return markcoroutinefunction(asynchronous)

    def synchronous(request: HttpRequest) -> HttpResponse:
        before = _of_request.set(of(request))
        try:
            return get_response(request)  # type: ignore[return-value]
        finally:
            _of_request.reset(before)

    return synchronous


middleware.async_capable = middleware.sync_capable = True  # type: ignore[attr-defined]


def _address(text: str | None) -> str | None:
    """None for what is no address: a Unix socket has none."""
    try:
        validate_ipv46_address(text or "")
    except ValidationError:
        return None
    return text
