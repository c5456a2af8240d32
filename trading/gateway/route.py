"""The ASGI side of the hot road: read, identify, one verb, answer.

`answered` is the part that straight.py shares, where orders need no ASGI messages.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from accounts.identity import Presented, identify_presented, presented
from simgame import problem
from simgame.kernel import viewer
from trading.gateway import answers, verbs
from trading.gateway.placing import Answer, Call, Placing

ROOT = "/v2/orders"
BODY_BYTES_MAX = 64 * 1024  # an order has a few hundred
VERBS: dict[tuple[str, bool | None], Callable[[Call], Awaitable[Answer]]] = {
    ("POST", False): verbs.place,
    ("DELETE", False): verbs.cancel_all,
    ("PATCH", True): verbs.replace,
    ("DELETE", True): verbs.cancel,
}
Scope = dict[str, Any]


class Gone(Exception):
    """The caller hung up while sending."""


def matches(scope: Scope) -> bool:
    """Is this a request that `application` answers?"""
    return scope["type"] == "http" and (scope["method"], _names_an_order(scope["path"])) in VERBS


async def application(scope: Scope, receive: Any, send: Any) -> None:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    request_id = answers.request_id_of(headers)
    try:
        body = await _read(headers, receive)
    except Gone:
        return
    except problem.TooLarge as refusal:
        answer = answers.of_error(refusal, scope["path"], request_id)
    else:
        answer = await answered(scope, headers, body, request_id)
    head = answers.head_of(answer, request_id)
    await send({"type": "http.response.start", "status": answer.status, "headers": head})
    await send({"type": "http.response.body", "body": answer.content})


async def answered(
    scope: Scope, headers: dict[str, str], body: bytes, request_id: str, shown: Presented | None = None
) -> Answer:
    """What a whole request is told. `scope`: method and path, and all of it where a browser's session asks.

    `shown`: what its headers present, where that was read before.
    """
    path = scope["path"]
    with viewer.request():
        try:
            verb = VERBS[scope["method"], _names_an_order(path)]
            identity = await identify_presented(shown or presented(headers), scope)
            identity.require("trade")
            if body and not _is_json(headers):
                raise problem.UnsupportedMediaType
            return await verb(Call(identity, headers, body, path[len(ROOT) + 1 :].rstrip("/")))
        except Exception as error:  # noqa: BLE001  each has its answer
            return answers.of_error(error, path, request_id)


async def sent(made: Placing, path: str, request_id: str) -> Answer:
    """What is told of an order that is ready, where the way to the exchange has to be found first."""
    with viewer.request():
        try:
            reply = await verbs.asked(made)
        except Exception as error:  # noqa: BLE001  where it listens is asked of the database
            return answers.of_error(error, path, request_id)
    return answers.of_reply(made, reply, path, request_id)


def places(method: str, path: str, headers: Mapping[str, str]) -> bool:
    """Is it an order in JSON, whatever its body says?"""
    return VERBS.get((method, _names_an_order(path))) is verbs.place and _is_json(headers)


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


def _is_json(headers: Mapping[str, str]) -> bool:
    """A browser form cannot send application/json to us without asking first."""
    return headers.get("content-type", "").lower().startswith("application/json")
