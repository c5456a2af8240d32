"""What a request for an order is told: status, headers and bytes, of an answer or of an error. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import msgspec
import structlog

from simgame import problem
from simgame.kernel import ids
from simgame.kernel.errors import SimGameError
from trading.exchange.wire import Received
from trading.gateway import placing
from trading.gateway.placing import Answer, Placing, Rejected

REQUEST_ID_CHARS_MAX = 64
OURS = (b"cache-control", b"content-length")  # said of every answer
encode = msgspec.json.Encoder().encode
log = structlog.get_logger(__name__)


def request_id_of(headers: Mapping[str, str]) -> str:
    """The caller's, where it is fit to be one; else a new one."""
    given = headers.get("x-request-id", "")
    if given and len(given) <= REQUEST_ID_CHARS_MAX and given.isascii() and given.isprintable():
        return given
    return ids.uuid7_text()


def of_reply(made: Placing, reply: Received, path: str, request_id: str) -> Answer:
    """For an order, when the exchange has said something."""
    try:
        return placing.answer_of(made, reply)
    except Exception as error:  # noqa: BLE001  each has its answer
        return of_error(error, path, request_id)


def of_error(error: Exception, path: str, request_id: str) -> Answer:
    """For whatever was raised on the way. What nobody expected is logged, and told as a fault of ours."""
    if isinstance(error, Rejected):
        stored = {"outcome": "executed", "order": error.order}
        told = problem.body(error.refusal, path, request_id) | stored
        kind = {"Content-Type": problem.CONTENT_TYPE}
        return Answer(error.refusal.status, encode(told), kind | error.headers)
    known = error if isinstance(error, SimGameError) else problem.translated(error)
    if known is None:
        log.error("gateway_failed", path=path, request_id=request_id, exc_info=error)
    rendered = problem.render(known or problem.Internal(), path, request_id)
    given = {name.decode(): value.decode() for name, value in rendered.headers if name not in OURS}
    return Answer(rendered.status, rendered.body, given)


def head_of(answer: Answer, request_id: str) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, names in lower case, for ASGI."""
    return [(_lower(name), value.encode("latin-1")) for name, value in _headers(answer, request_id).items()]


def lines_of(answer: Answer, request_id: str) -> bytes:
    """The headers of an answer as HTTP/1.1 writes them."""
    return "".join([f"{name}: {value}\r\n" for name, value in _headers(answer, request_id).items()]).encode(
        "latin-1"
    )


def _headers(answer: Answer, request_id: str) -> dict[str, str]:
    named = {"cache-control": "no-store", "x-request-id": request_id}
    if answer.content:
        named["content-length"] = str(len(answer.content))
    return named | answer.headers


@lru_cache(64)  # ours are few
def _lower(name: str) -> bytes:
    return name.lower().encode()
