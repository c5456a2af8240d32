"""The ASGI side of the hot road: read, identify, one verb, answer.

`answered` is the part that straight.py shares, where orders need no ASGI messages.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

import structlog

from accounts.identity import Presented, identify_presented, presented
from simgame import problem
from simgame.kernel import ids, viewer
from simgame.kernel.errors import SimGameError
from trading.gateway import verbs
from trading.gateway.verbs import Answer, Call, Rejected

ROOT = "/v2/orders"
BODY_BYTES_MAX = 64 * 1024  # an order has a few hundred
REQUEST_ID_CHARS_MAX = 64
NO_STORE = (b"cache-control", b"no-store")
OURS = (b"cache-control", b"content-length")  # what `application` says of every answer
VERBS: dict[tuple[str, bool], Callable[[Call], Awaitable[Answer]]] = {
    ("POST", False): verbs.place,
    ("DELETE", False): verbs.cancel_all,
    ("PATCH", True): verbs.replace,
    ("DELETE", True): verbs.cancel,
}
log = structlog.get_logger(__name__)
Scope = dict[str, Any]


class Gone(Exception):
    """The caller hung up while sending."""


def matches(scope: Scope) -> bool:
    """Is this a request that `application` answers?"""
    return scope["type"] == "http" and (scope["method"], _names_an_order(scope["path"])) in VERBS


async def application(scope: Scope, receive: Any, send: Any) -> None:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    request_id = request_id_of(headers)
    try:
        body = await _read(headers, receive)
    except Gone:
        return
    except problem.TooLarge as refusal:
        answer = _refused(refusal, scope["path"], request_id)
    else:
        answer = await answered(scope, headers, body, request_id)
    await send(
        {"type": "http.response.start", "status": answer.status, "headers": head_of(answer, request_id)}
    )
    await send({"type": "http.response.body", "body": answer.content})


async def answered(
    scope: Scope, headers: dict[str, str], body: bytes, request_id: str, shown: Presented | None = None
) -> Answer:
    """What a whole request is told. `scope`: method and path, and all of it where a browser's session asks.

    `shown`: what its headers present, where that was read before.
    """
    with viewer.request():
        return await _answered(scope, headers, body, request_id, shown)


async def _answered(
    scope: Scope, headers: dict[str, str], body: bytes, request_id: str, shown: Presented | None
) -> Answer:
    path = scope["path"]
    try:
        verb = VERBS[scope["method"], _names_an_order(path)]
        identity = await identify_presented(shown or presented(headers), scope)
        identity.require("trade")
        _require_json(headers, body)
        answer = await verb(Call(identity, headers, body, path[len(ROOT) + 1 :].rstrip("/")))
        if answer.content:
            answer.headers.setdefault("Content-Type", "application/json")
        return answer
    except Rejected as rejected:
        stored = {"outcome": "executed", "order": rejected.order}
        told = problem.body(rejected.refusal, path, request_id) | stored
        kind = {"Content-Type": problem.CONTENT_TYPE}
        return Answer(rejected.refusal.status, verbs.encode(told), kind | rejected.headers)
    except SimGameError as refusal:
        return _refused(refusal, path, request_id)
    except Exception as error:
        known = problem.translated(error)
        if known is None:
            log.exception("gateway_failed", path=path, request_id=request_id)
        return _refused(known or problem.Internal(), path, request_id)


def head_of(answer: Answer, request_id: str) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, names in lower case."""
    head = [NO_STORE, (b"x-request-id", request_id.encode())]
    if answer.content:
        head.append((b"content-length", b"%d" % len(answer.content)))
    head += [(_lower(name), value.encode("latin-1")) for name, value in answer.headers.items()]
    return head


def request_id_of(headers: dict[str, str]) -> str:
    """The caller's, where it is fit to be one; else a new one."""
    given = headers.get("x-request-id", "")
    if given and len(given) <= REQUEST_ID_CHARS_MAX and given.isascii() and given.isprintable():
        return given
    return ids.uuid7_text()


def _refused(refusal: SimGameError, path: str, request_id: str) -> Answer:
    rendered = problem.render(refusal, path, request_id)
    given = {name.decode(): value.decode() for name, value in rendered.headers if name not in OURS}
    return Answer(rendered.status, rendered.body, given)


def _names_an_order(path: str) -> bool | None:
    """False: the collection. True: one order. None: another address."""
    if path.rstrip("/") == ROOT:
        return False
    return True if path.startswith(f"{ROOT}/") and path.count("/") == 3 else None


async def _read(headers: dict[str, str], receive: Any) -> bytes:
    """The whole body. Raises TooLarge as soon as that is known."""
    length = headers.get("content-length", "0")
    if length.isdigit() and int(length) > BODY_BYTES_MAX:
        raise problem.TooLarge(f"A body may have {BODY_BYTES_MAX} bytes.")
    parts = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        parts += message.get("body", b"")
        if len(parts) > BODY_BYTES_MAX:
            raise problem.TooLarge(f"A body may have {BODY_BYTES_MAX} bytes.")
        more = message.get("more_body", False)
    return bytes(parts)


def _require_json(headers: dict[str, str], body: bytes) -> None:
    """A browser form cannot send application/json to us without asking first."""
    if body and not headers.get("content-type", "").lower().startswith("application/json"):
        raise problem.UnsupportedMediaType


@lru_cache(64)  # ours are few
def _lower(name: str) -> bytes:
    return name.lower().encode()
