"""The network between a feed and its venues, which can be cut: a process of its own.

    python -m ops.soak.wire      (one line of JSON first: ways, a list of [listening port, venue's port])

Then lines of JSON, each answered by one:

    {"do": "cut", "way": 0, "how": "refused"}   connections are reset, new ones refused: a cable is pulled
    {"do": "cut", "way": 0, "how": "silent"}    nothing passes and nobody is told: packets are dropped
    {"do": "mend", "way": 0}                    as before; what stood during a silence is reset
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from uvloop import new_event_loop

CHUNK = 1 << 18
OPEN, REFUSED, SILENT = "open", "refused", "silent"


class Way:
    def __init__(self, port: int, target: int):
        self.port, self.target = port, target
        self.state = OPEN
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", self.port, limit=CHUNK)

    async def cut(self, how: str) -> None:
        self.state = how
        if how == REFUSED:
            assert self._server is not None
            self._server.close()
            self._reset()

    async def mend(self) -> None:
        was, self.state = self.state, OPEN
        if was == REFUSED:
            await self.listen()
        else:
            self._reset()

    def _reset(self) -> None:
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()

    async def _join(self, asker: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        self._ends.add(answers)
        if self.state != OPEN:
            return  # it hangs, as a connection does whose packets are dropped
        try:
            venue, to_venue = await asyncio.open_connection("127.0.0.1", self.target, limit=CHUNK)
        except OSError:
            answers.close()
            return
        self._ends.add(to_venue)
        for source, target in ((asker, to_venue), (venue, answers)):
            task = asyncio.create_task(self._pass(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(CHUNK):
                if self.state == OPEN:
                    target.write(data)
                    await target.drain()
        except OSError as error:
            print(f"a connection over {self.port} ended: {error}", file=sys.stderr)
        finally:
            self._ends.discard(target)
            target.close()


async def main() -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    ways = [Way(*ports) for ports in json.loads(await lines.readline())["ways"]]
    for way in ways:
        await way.listen()
    print(json.dumps({"listening": len(ways)}), flush=True)
    while line := await lines.readline():
        asked: dict[str, Any] = json.loads(line)
        way = ways[asked["way"]]
        await (way.cut(asked["how"]) if asked["do"] == "cut" else way.mend())
        print(json.dumps({"state": way.state, "at_ns": time.time_ns()}), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())
