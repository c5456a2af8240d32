"""One HTTP/1.1 connection of an attacker: says what it is told to say, and keeps the answer's bytes."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

from ops.chaos.http import BROKEN, content_of

ANSWER_S = 30.0


class Answer(NamedTuple):
    status: int  # 0: broken, or nothing came in time
    headers: dict[str, str]
    cookies: list[str]  # Set-Cookie lines
    body: bytes

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def told(self) -> Any:
        """What the answer tells, without what the asker said himself and the number of the request."""
        said = self.json
        if not isinstance(said, dict):
            return self.body
        return {name: value for name, value in said.items() if name not in ("instance", "request_id")}


class Line:
    """`source`: the loopback address that it speaks from, 127.0.0.1 to 127.0.0.254."""

    def __init__(self, port: int, source: str = "127.0.0.1", **headers: str):
        self.port, self.source = port, source
        self.headers = {"Host": f"127.0.0.1:{port}"} | _named(headers)
        self.cookies: dict[str, str] = {}
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """`body`: bytes as they are, anything else as JSON. Never raises for what breaks on the way."""
        used = self._writer is not None
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._exchange(method, path, body, _named(headers))
        except BROKEN:
            self.close()
        if used:  # the server had closed a connection that was idle
            return await self.ask(method, path, body, **headers)
        return Answer(0, {}, [], b"")

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is not None and self._reader.at_eof():  # the server closed it while it was idle
            self.close()
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(
                "127.0.0.1", self.port, local_addr=(self.source, 0)
            )
        return self._reader, self._writer

    async def _exchange(self, method: str, path: str, body: Any, more: dict[str, str]) -> Answer:
        reader, writer = await self.open()
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = {"Content-Type": "application/json"} if data else {}
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {**self.headers, **given, **({"Cookie": cookie} if cookie else {}), **more}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join([*lines, f"Content-Length: {len(data)}", "", ""]).encode() + data)
        return await self.read(reader)

    async def read(self, reader: asyncio.StreamReader) -> Answer:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = [
            (name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in head[1:])
        ]
        said = dict(pairs)
        status = int(head[0].split(" ")[1])
        content = b"" if status in (204, 304) else await content_of(reader, said)
        cookies = [value for name, value in pairs if name == "set-cookie"]
        for line in cookies:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        if said.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, said, cookies, content)


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-").title(): value for name, value in headers.items()}
