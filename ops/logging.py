"""One JSON line per event on stderr, with the id of the request that caused it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import msgspec
import structlog
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse

from simgame.kernel import ids

REQUEST_ID_CHARS_MAX = 64  # a longer one from outside is replaced: it would flood the log
NOISY = ("daphne", "aioredis", "asyncio", "urllib3", "django.channels.server")
NOISY += ("celery.beat", "celery.app.trace", "celery.worker.strategy")  # lines for each task

_encode = msgspec.json.Encoder(enc_hook=str).encode


def configure(config: Mapping[str, Any]) -> None:
    """Django's LOGGING_CONFIG: structlog for us, and the same form for everybody else's lines."""
    shared = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _line],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(config.get("level", "INFO"))
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("django.request").addFilter(_no_probe)


def _no_probe(record: logging.LogRecord) -> bool:
    """A 503 of /readyz is an answer to a question, asked again and again: not an event."""
    request = getattr(record, "request", None)
    return getattr(request, "path", "") != "/readyz"


def _line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    first = {key: event.pop(key) for key in ("ts", "level", "event") if key in event}
    return _encode({**first, **event}).decode()


def request_id_of(given: str | None) -> str:
    """The caller's `X-Request-ID` when it is plain and short, else a new one."""
    if given and len(given) <= REQUEST_ID_CHARS_MAX and given.isascii() and given.isprintable():
        return given
    return str(ids.uuid7())


def request_id_middleware(
    get_response: Callable[[HttpRequest], Awaitable[HttpResponse]] | Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], Any]:
    """Gives every request an id: in `request.request_id`, in each log line, and in the answer."""
    if iscoroutinefunction(get_response):

        async def amiddleware(request: HttpRequest) -> HttpResponse:
            _enter(request)
            return _leave(request, await get_response(request))

        return markcoroutinefunction(amiddleware)

    def middleware(request: HttpRequest) -> HttpResponse:
        _enter(request)
        return _leave(request, get_response(request))

    return middleware


request_id_middleware.async_capable = request_id_middleware.sync_capable = True  # type: ignore[attr-defined]


def _enter(request: HttpRequest) -> None:
    request.request_id = request_id_of(request.headers.get("X-Request-ID"))  # type: ignore[attr-defined]
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request.request_id)  # type: ignore[attr-defined]


def _leave(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
    return response
