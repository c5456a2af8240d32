"""A player's socket in a drill: keeps its position, resumes after every break, writes down what it hears."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

NAME = "stream-{}.log"
AGAIN_S = 0.2
OPEN_S = 5.0


class Told(msgspec.Struct):
    """A message of the private stream, or (`data` None) the position that a snapshot began at."""

    epoch: str
    offset: int
    data: Any = None


class Listener:
    def __init__(self, port: int, who: dict[str, Any], folder: Path):
        self.address = f"ws://127.0.0.1:{port}/ws/v1"
        self.token = ":".join(who["headers"].values())  # key id and secret
        self.topic = f"portfolio:{who['portfolio']}"
        self.path = folder / NAME.format(who["portfolio"])
        self.position: tuple[str, int] | None = None

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                async with connect(
                    self.address,
                    max_size=None,
                    open_timeout=OPEN_S,
                    proxy=None,
                ) as socket:
                    await self._read(socket)
            except (OSError, WebSocketException, TimeoutError):
                await asyncio.sleep(AGAIN_S)

    async def _read(self, socket: ClientConnection) -> None:
        await socket.send(json.dumps({"id": 0, "op": "auth", "token": self.token}))
        await self._subscribe(socket)
        async for text in socket:
            said = json.loads(text)
            for message in said if isinstance(said, list) else [said]:
                if message.get("type") == "ping":
                    await socket.send('{"op":"pong"}')
                elif message.get("ok") is False:
                    raise ConnectionError(f"the subscription was refused: {message}")
                elif "results" in message:
                    self._begin(message["results"][0])
                elif message.get("topic") == self.topic and not self._push(message):
                    await self._subscribe(socket)

    async def _subscribe(self, socket: ClientConnection) -> None:
        wanted: dict[str, Any] = {"topic": self.topic}
        if self.position is not None:
            wanted["since"] = {"epoch": self.position[0], "offset": self.position[1]}
        await socket.send(json.dumps({"id": 1, "op": "subscribe", "topics": [wanted], "interval_ms": 0}))

    def _begin(self, result: dict[str, Any]) -> None:
        if result.get("recovered"):
            for message in result["messages"]:
                self._push(message)
        else:
            self._write(Told(result["epoch"], result["offset"]))

    def _push(self, message: dict[str, Any]) -> bool:
        """False: something is missing, ask for it. What is not newer is dropped."""
        assert self.position is not None
        epoch, offset = message["epoch"], message["offset"]
        if epoch != self.position[0] or offset > self.position[1] + 1:
            return False
        if offset == self.position[1] + 1:
            self._write(Told(epoch, offset, message["data"]))
        return True

    def _write(self, told: Told) -> None:
        self.position = told.epoch, told.offset
        with open(self.path, "ab") as log:
            log.write(msgspec.json.encode(told) + b"\n")
