"""No request has a body without end. In front of Django, which would write all of it to the disk first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from simgame import problem

BYTES_MAX: Final = 1_048_576  # no form and no JSON of ours comes near; the API's own limits are narrower
Application = Callable[[Any, Any, Any], Awaitable[None]]


class TooLong(Exception):
    pass


def bounded(application: Application) -> Application:
    """The same application; a body of more than BYTES_MAX is answered with 413 as soon as that is known."""

    async def http(scope: Any, receive: Any, send: Any) -> None:
        if _length(scope) > BYTES_MAX:
            await _refuse(scope, send)
            return
        begun, heard = False, 0

        async def counted() -> Any:
            nonlocal heard
            message = await receive()
            heard += len(message.get("body", b""))
            if heard > BYTES_MAX:
                raise TooLong
            return message

        async def told(message: Any) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await application(scope, counted, told)
        except TooLong:
            if not begun:
                await _refuse(scope, send)

    return http


def _length(scope: Any) -> int:
    said = dict(scope["headers"]).get(b"content-length", b"")
    return int(said) if said.isdigit() else 0


async def _refuse(scope: Any, send: Any) -> None:
    refusal = problem.TooLarge(f"A body has at most {BYTES_MAX} bytes.")
    rendered = problem.render(refusal, scope["path"])
    headers = [*rendered.headers, (b"connection", b"close")]
    await send({"type": "http.response.start", "status": rendered.status, "headers": headers})
    await send({"type": "http.response.body", "body": rendered.body})
