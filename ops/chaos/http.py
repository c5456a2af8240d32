"""One keep-alive connection of a drill's client: raw HTTP/1.1, opened again whenever it breaks."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

ANSWER_S = 10.0
BROKEN = (OSError, EOFError, TimeoutError, ValueError, IndexError)  # the last two: a torn answer


class Said(NamedTuple):
    status: int  # 0: broken, or nothing came in time
    headers: dict[str, str]
    body: Any  # decoded JSON, None when there is none


class Wire:
    def __init__(self, port: int, headers: dict[str, str]):
        self.port = port
        self.headers = {"Host": "127.0.0.1", "Content-Type": "application/json"} | headers
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, method: str, path: str, body: Any = None, **more: str) -> Said:
        """Never raises for what breaks on the way."""
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._exchange(method, path, body, more)
        except BROKEN:
            self.close()
            return Said(0, {}, None)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def _exchange(self, method: str, path: str, body: Any, more: dict[str, str]) -> Said:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        headers = {**self.headers, **more, "Content-Length": str(len(data))}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + data)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split(" ")[1])
        said = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        content = await content_of(self._reader, said)
        if said.get("connection", "").lower() == "close":
            self.close()
        return Said(status, said, json.loads(content) if content else None)


async def content_of(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    parts: list[bytes] = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(parts)
