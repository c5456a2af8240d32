"""Readers who write down every thing that a desk would have shown: by socket, and by polling.

    python -m ops.drills.frames_client FOLDER     (one line of JSON first: port, world, symbol, watchers)

Then lines: `cut` (every socket is torn), `stop` (everything is on disk, then `stopped`). The rules of
applying are the ones of `static/js/stream.js`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from ops.chaos.http import Wire
from ops.drills.frames_judge import Seen

NAME: Final = "seen-{}.log"
AGAIN_S: Final = 0.2
OPEN_S: Final = 5.0
POLL_S: Final = 0.5
EVERY: Final = ("portfolio", "trades", "bars")  # kinds where a gap is a loss
INTERVALS_MS: Final = (0, 250)


class Diary:
    """What one reader saw, one line each; the position it stands at."""

    def __init__(self, folder: Path, reader: str):
        self.reader = reader
        self.at: dict[str, tuple[str, int]] = {}
        self._file = open(folder / NAME.format(reader), "ab")  # noqa: SIM115 (as long as the process)

    def note(self, seen: Seen) -> None:
        self.at[seen.topic] = seen.epoch, seen.offset
        self._file.write(msgspec.json.encode(seen) + b"\n")

    def flush(self) -> None:
        self._file.flush()


class Socket:
    """Follows topics at an interval, for ever."""

    def __init__(self, port: int, who: dict[str, Any], topics: list[str], interval_ms: int, diary: Diary):
        self.address = f"ws://127.0.0.1:{port}/ws/v1"
        self.token = ":".join(who["headers"].values())
        self.topics, self.interval_ms, self.diary = topics, interval_ms, diary
        self.socket: ClientConnection | None = None
        self._asked: dict[str, str] = {}

    async def run(self) -> None:
        while True:
            try:
                async with connect(self.address, max_size=None, open_timeout=OPEN_S, proxy=None) as socket:
                    self.socket = socket
                    await self._read(socket)
            except (OSError, WebSocketException, TimeoutError):
                self.socket = None
                await asyncio.sleep(AGAIN_S)

    def cut(self) -> None:
        if self.socket is not None:
            self.socket.transport.abort()

    async def _read(self, socket: ClientConnection) -> None:
        self._asked.clear()
        await socket.send(json.dumps({"id": 0, "op": "auth", "token": self.token}))
        await self._subscribe(socket, self.topics)
        async for text in socket:
            said = json.loads(text)
            for message in said if isinstance(said, list) else [said]:
                await self._take(socket, message)

    async def _take(self, socket: ClientConnection, message: dict[str, Any]) -> None:
        if message.get("type") == "ping":
            await socket.send('{"op":"pong"}')
        elif message.get("ok") is False:
            raise ConnectionError(f"refused: {message}")
        elif "results" in message:
            for result in message["results"]:
                await self._begin(socket, result)
        elif "topic" in message:
            await self._push(socket, message)

    async def _subscribe(self, socket: ClientConnection, topics: list[str], *, fresh: bool = False) -> None:
        wanted: list[dict[str, Any]] = []
        for topic in topics:
            at = None if fresh else self.diary.at.get(topic)
            wanted.append({"topic": topic} | ({"since": {"epoch": at[0], "offset": at[1]}} if at else {}))
        said = {"id": 1, "op": "subscribe", "topics": wanted, "interval_ms": self.interval_ms}
        await socket.send(json.dumps(said))

    async def _begin(self, socket: ClientConnection, result: dict[str, Any]) -> None:
        topic = result["topic"]
        self._asked.pop(topic, None)
        if result.get("recovered"):
            for message in result["messages"]:
                await self._push(socket, {"topic": topic, **message})
            return
        self.diary.note(Seen(topic, result["epoch"], result["offset"], "snapshot", result["snapshot"]))

    async def _push(self, socket: ClientConnection, message: dict[str, Any]) -> None:
        topic, epoch, offset = message["topic"], message["epoch"], message["offset"]
        if topic not in self.diary.at:
            return  # its snapshot comes first
        at = self.diary.at[topic]
        if epoch != at[0]:
            await self._again(socket, topic, "whole")
        elif offset > at[1] + 1 and topic.partition(":")[0] in EVERY:
            await self._again(socket, topic, "whole" if topic in self._asked else "rest")
        elif offset > at[1]:
            self._asked.pop(topic, None)
            self.diary.note(Seen(topic, epoch, offset, "message", message["data"]))

    async def _again(self, socket: ClientConnection, topic: str, what: str) -> None:
        if self._asked.get(topic) == "whole":
            return
        self._asked[topic] = what
        await self._subscribe(socket, [topic], fresh=what == "whole")


class Poller:
    """A browser without a socket."""

    def __init__(self, asked: dict[str, Any], who: dict[str, Any], diary: Diary):
        self.world, self.portfolio, self.diary = asked["world"], who["portfolio"], diary
        self.wire = Wire(asked["port"], who["headers"])

    async def run(self) -> None:
        while True:
            await self._desk()
            await self._quotes()
            await asyncio.sleep(POLL_S)

    async def _desk(self) -> None:
        topic = f"portfolio:{self.portfolio}"
        epoch, version = self.diary.at.get(topic, ("", 0))
        since = f"&since={version}&epoch={epoch}" if epoch else ""
        said = await self.wire.ask("GET", f"/api/v1/desk?portfolio={self.portfolio}{since}")
        if said.status == 200:
            self.diary.note(Seen(topic, said.body["epoch"], said.body["version"], "poll", said.body))

    async def _quotes(self) -> None:
        topic = f"board:{self.world}"
        epoch, offset = self.diary.at.get(topic, ("", 0))
        since = f"&since={epoch}:{offset}" if epoch else ""
        said = await self.wire.ask("GET", f"/api/v1/quotes?world={self.world}{since}")
        if said.status == 200:
            epoch, _, offset = said.body["version"].rpartition(":")
            self.diary.note(Seen(topic, epoch, int(offset), "poll", said.body["quotes"]))


async def main(asked: dict[str, Any], folder: Path) -> None:
    world, symbol = asked["world"], asked["symbol"]
    public = [f"{kind}:{world}:{symbol}" for kind in ("quote", "depth", "trades")]
    public += [f"bars:{world}:{symbol}:1m", f"board:{world}", f"phase:{world}"]
    sockets, diaries, jobs = [], [], []
    for who in asked["watchers"]:
        for interval_ms in INTERVALS_MS:
            diary = Diary(folder, f"{who['portfolio']}-socket-{interval_ms}")
            topics = [f"portfolio:{who['portfolio']}", *public]
            sockets.append(Socket(asked["port"], who, topics, interval_ms, diary))
            diaries.append(diary)
        diaries.append(Diary(folder, f"{who['portfolio']}-poll"))
        jobs.append(asyncio.create_task(Poller(asked, who, diaries[-1]).run()))
    jobs += [asyncio.create_task(socket.run()) for socket in sockets]
    obeying = asyncio.create_task(_obey(sockets, diaries))
    done, _ = await asyncio.wait([*jobs, obeying], return_when=asyncio.FIRST_COMPLETED)
    for job in done:
        job.result()


async def _obey(sockets: list[Socket], diaries: list[Diary]) -> None:
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    print("ready", flush=True)
    while line := (await lines.readline()).decode().strip():
        if line == "cut":
            for socket in sockets:
                socket.cut()
        for diary in diaries:
            diary.flush()
        if line in ("flush", "stop"):
            print("flushed" if line == "flush" else "stopped", flush=True)
        if line == "stop":
            return


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.stdin.readline()), Path(sys.argv[1])))
