"""The one translation of our refusals to HTTP: RFC 9457 problem details.

On `/v2` the field `code` is the integer that Alpaca's clients read, and our stable code stands in
`reason`. Pages (HTML) get pages; everything under API_PREFIXES, and who prefers JSON, gets problems.
"""

from __future__ import annotations

import sys
from http import HTTPStatus
from typing import Any, ClassVar, Final, NamedTuple

import msgspec
import structlog
from django.core.exceptions import ObjectDoesNotExist
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.template import loader
from django.views import csrf, defaults
from rest_framework import exceptions as drf
from rest_framework.response import Response

from simgame.kernel.errors import (
    Forbidden,
    Invalid,
    Malformed,
    MethodNotAllowed,
    NotFound,
    RateLimited,
    SimGameError,
    Unauthenticated,
    Unavailable,
)

API_PREFIXES: Final = ("/api/", "/.well-known/", "/v2/", "/udf/", "/v1beta1", "/v1beta3")
ALPACA_PREFIXES: Final = ("/v2/", "/v1beta1", "/v1beta3")
CONTENT_TYPE: Final = "application/problem+json"
log = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder(enc_hook=str).encode


class UnsupportedMediaType(SimGameError):
    code, status, alpaca = "UNSUPPORTED_MEDIA_TYPE", 415, 41510000
    title = "The body must be JSON (Content-Type: application/json)"


class NotAcceptable(SimGameError):
    code, status, alpaca = "NOT_ACCEPTABLE", 406, 40610000
    title = "This address answers in JSON only"


class TooLarge(SimGameError):
    code, status, alpaca = "TOO_LARGE", 413, 41310000
    title = "The body is larger than any request of ours"


class CsrfFailed(Forbidden):
    code = "CSRF_FAILED"
    title = "The request does not prove that it comes from our own pages"


class DatabaseAway(Unavailable):
    """While it restarts, or when more requests wait for a connection than it serves."""

    code, alpaca, outcome = "DATABASE_AWAY", 50310001, "unknown"
    title = "The database does not answer just now: ask again in a moment"


class Internal(SimGameError):
    """A fault of ours. The only one that is never raised on purpose."""

    outcome: ClassVar[str] = "unknown"


class Rendered(NamedTuple):
    """An answer in the form that raw ASGI sends."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def body(error: SimGameError, path: str, request_id: str = "") -> dict[str, Any]:
    """The problem document. `instance` is the path that was asked for."""
    facts = dict(error.facts)
    errors = facts.pop("errors", None) or [{"pointer": error.pointer, "detail": error.detail}]
    on_v2 = path.startswith(ALPACA_PREFIXES)
    return {
        "type": f"urn:simgame:error:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": path,
        "code": error.alpaca if on_v2 else error.code,
        **({"reason": error.code} if on_v2 else {}),
        "message": error.detail,
        "errors": errors,
        "facts": facts,
        "retryable": error.retryable,
        "outcome": error.outcome,
        "request_id": request_id,
    }


def render(error: SimGameError, path: str, request_id: str = "") -> Rendered:
    """For code that stands in front of Django."""
    content = _encode(body(error, path, request_id))
    headers = [
        (b"content-type", CONTENT_TYPE.encode()),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", b"no-store"),
        *((name.lower().encode(), value.encode()) for name, value in _headers(error).items()),
    ]
    return Rendered(error.status, headers, content)


def response(error: SimGameError, request: HttpRequest, **more: Any) -> HttpResponse:
    """The one translation; `more` are extension members of the document (RFC 9457, 3.2)."""
    content = _encode(body(error, request.path, _request_id(request)) | more)
    headers = {**_headers(error), "Cache-Control": "no-store"}
    return HttpResponse(content, status=error.status, content_type=CONTENT_TYPE, headers=headers)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | HttpResponse | None:
    """Django REST Framework's EXCEPTION_HANDLER. What is no refusal goes on to `server_error`."""
    refusal = translated(error)
    if refusal is None:
        return None
    answer = Response(
        body(refusal, context["request"].path, _request_id(context["request"])),
        status=refusal.status,
        headers={**_headers(refusal), "Cache-Control": "no-store"},
        content_type=CONTENT_TYPE,
    )
    answer.exception = True
    return answer


def translated(error: Exception) -> SimGameError | None:
    """Our refusal for an exception of Django or DRF; None when it is a fault of ours."""
    match error:
        case SimGameError():
            return error
        case drf.ParseError():
            return Malformed(str(error.detail))
        case drf.ValidationError():
            return _invalid(error)
        case drf.NotAuthenticated() | drf.AuthenticationFailed():
            return Unauthenticated()
        case drf.PermissionDenied() | DjangoPermissionDenied():
            return Forbidden()
        case drf.NotFound() | Http404() | ObjectDoesNotExist():
            return NotFound()
        case drf.MethodNotAllowed():
            return MethodNotAllowed(str(error.detail))
        case drf.UnsupportedMediaType():
            return UnsupportedMediaType()
        case drf.NotAcceptable():
            return NotAcceptable()
        case OperationalError() | InterfaceError():
            log.warning("database_away", why=str(error))
            return DatabaseAway()
        case drf.Throttled():
            return RateLimited(headers={"Retry-After": str(int(error.wait or 1))})
    return None


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400: a host, header or body that Django itself refuses."""
    if _is_api(request):
        return response(Malformed(), request)
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return response(Forbidden(), request)
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return response(NotFound(f"There is nothing at {request.path}."), request)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: what happened is in the log under the request id; the caller gets the id only.

    A database that is away is no fault of the page: 503, and come again.
    """
    error = sys.exc_info()[1]
    away = translated(error) if isinstance(error, OperationalError | InterfaceError) else None
    if _is_api(request):
        return response(away or Internal(), request)
    if away is None:
        return defaults.server_error(request)
    page = loader.get_template("503.html").render()  # no context: it must need no database
    return HttpResponse(page, status=away.status, headers={**_headers(away), "Cache-Control": "no-store"})


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    if _is_api(request):
        return response(CsrfFailed(f"{reason} Send the csrftoken cookie in X-CSRFToken."), request)
    return csrf.csrf_failure(request, reason=reason)


def _invalid(error: drf.ValidationError) -> Invalid:
    errors = list(_flat(error.detail, ""))
    first = errors[0] if errors else {"pointer": "", "detail": ""}
    named = f"{first['pointer'].lstrip('/')}: " if first["pointer"] else ""
    return Invalid(f"{named}{first['detail']}", pointer=first["pointer"], errors=errors)


def _flat(detail: Any, pointer: str) -> Any:
    """DRF's nested messages as [{pointer, detail}]."""
    if isinstance(detail, dict):
        for key, inner in detail.items():
            step = "" if key == "non_field_errors" else f"/{str(key).replace('~', '~0').replace('/', '~1')}"
            yield from _flat(inner, pointer + step)
    elif isinstance(detail, list) and all(isinstance(inner, str) for inner in detail):
        yield from ({"pointer": pointer, "detail": str(inner)} for inner in detail)
    elif isinstance(detail, list):
        for position, inner in enumerate(detail):
            yield from _flat(inner, f"{pointer}/{position}")
    else:
        yield {"pointer": pointer, "detail": str(detail)}


def _headers(error: SimGameError) -> dict[str, str]:
    given = dict(error.headers)
    if error.status == HTTPStatus.UNAUTHORIZED:
        given.setdefault("WWW-Authenticate", 'Bearer realm="simgame"')
    if error.retryable:
        given.setdefault("Retry-After", "1")
    return given


def _is_api(request: HttpRequest) -> bool:
    if request.path.startswith(API_PREFIXES):
        return True
    return "text/html" not in (accept := request.headers.get("Accept", "")) and "json" in accept


def _request_id(request: Any) -> str:
    request = getattr(request, "_request", request)  # DRF wraps Django's
    return getattr(request, "request_id", "") or structlog.contextvars.get_contextvars().get("request_id", "")
