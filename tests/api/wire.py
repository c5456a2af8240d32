"""A client that speaks to the real ASGI application, as a browser or a bot would."""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from asgiref.testing import ApplicationCommunicator

from simgame.asgi import application

CSRF = "c" * 32
TIMEOUT_S = 20


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Keeps its cookies; `headers` go with every request."""

    def __init__(self, **headers: str):
        self.headers = {"host": "localhost", "user-agent": "wire"} | _named(headers)
        self.cookies: dict[str, str] = {}

    async def get(self, url: str, **headers: str) -> Answer:
        return await self.ask("GET", url, **headers)

    async def post(self, url: str, body: Any = None, **headers: str) -> Answer:
        return await self.ask("POST", url, {} if body is None else body, **headers)

    async def put(self, url: str, body: Any, **headers: str) -> Answer:
        return await self.ask("PUT", url, body, **headers)

    async def patch(self, url: str, body: Any, **headers: str) -> Answer:
        return await self.ask("PATCH", url, body, **headers)

    async def delete(self, url: str, **headers: str) -> Answer:
        return await self.ask("DELETE", url, **headers)

    async def ask(self, method: str, url: str, body: Any = None, **headers: str) -> Answer:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = self.headers | ({"content-type": "application/json"} if raw else {}) | _named(headers)
        sent["content-length"] = str(len(raw))
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        parts = urlsplit(url)
        talk = ApplicationCommunicator(
            application,
            {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": method,
                "scheme": "http",
                "path": unquote(parts.path),
                "raw_path": parts.path.encode(),
                "query_string": parts.query.encode(),
                "root_path": "",
                "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
                "server": ("localhost", 80),
                "client": ("127.0.0.1", 50_000),
            },
        )
        await talk.send_input({"type": "http.request", "body": raw, "more_body": False})
        return self._heard(await _heard(talk))

    def _heard(self, answer: tuple[dict[str, Any], bytes]) -> Answer:
        start, body = answer
        headers: dict[str, str] = {}
        for name, value in start["headers"]:
            headers[name.decode().lower()] = value.decode()
            if name.lower() == b"set-cookie":
                cookie, _, rest = value.decode().partition(";")[0].partition("=")
                self.cookies[cookie] = rest
        return Answer(start["status"], headers, body)


async def _heard(talk: ApplicationCommunicator) -> tuple[dict[str, Any], bytes]:
    start = await talk.receive_output(TIMEOUT_S)
    body, more = b"", True
    while more:
        part = await talk.receive_output(TIMEOUT_S)
        body += part.get("body", b"")
        more = part.get("more_body", False)
    await talk.wait(TIMEOUT_S)
    return start, body


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-").lower(): value for name, value in headers.items()}


class Browser(Client):
    """Sends the CSRF token as our pages do: the cookie's value, which changes at each sign-in."""

    def __init__(self) -> None:
        super().__init__()
        self.cookies["csrftoken"] = CSRF

    async def ask(self, method: str, url: str, body: Any = None, **headers: str) -> Answer:
        return await super().ask(method, url, body, **({"x_csrftoken": self.cookies["csrftoken"]} | headers))
