"""The peer of `bench ingest`: market data as a tutorial would do it.

    python -m ops.load.ingest_peer feed|links   (one line of JSON first: url, redis, links, symbols, stamps)

`feed` reads the venue's WebSocket, parses each message and publishes it to Redis; `links` are that many
subscribers, who parse it again. No log, no numbers, no bars, no judgement: less work than ours does.
Then lines: `begin` (count anew), `facts`; each is answered by a line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import redis.asyncio
from uvloop import new_event_loop
from websockets.asyncio.client import connect

from ops.soak.spread import Spread
from ops.soak.stamps import Stamps

CHANNEL = "market"


async def feed(asked: dict[str, Any]) -> None:
    bus = redis.asyncio.Redis.from_url(asked["redis"])
    async with connect(asked["url"], proxy=None, ping_timeout=None) as venue:
        streams = [
            f"{one.lower()}@{kind}" for one in asked["symbols"] for kind in ("depth@100ms", "aggTrade")
        ]
        await venue.send(json.dumps({"method": "SUBSCRIBE", "params": streams, "id": 1}))
        async for frame in venue:
            body = json.loads(frame)
            if "data" in body:
                row = {**body["data"], "received_ns": time.time_ns()}
                await bus.publish(CHANNEL, json.dumps(row))


class Counted:
    def __init__(self) -> None:
        self.ingest, self.fan_out, self.end_to_end = Spread(), Spread(), Spread()
        self.first_ns = self.last_ns = 0

    def take(self, row: dict[str, Any], stamps: Stamps) -> None:
        now_ns, trade = time.time_ns(), row["e"] == "aggTrade"
        sent_ns = stamps.of(stamps.places[row["s"]], trade, row["a"] if trade else row["u"])
        self.first_ns = self.first_ns or now_ns
        self.last_ns = now_ns
        self.ingest.add(row["received_ns"] - sent_ns)
        self.fan_out.add(now_ns - row["received_ns"])
        self.end_to_end.add(now_ns - sent_ns)

    def facts(self) -> dict[str, Any]:
        latency = {name: getattr(self, name).facts() for name in ("ingest", "fan_out", "end_to_end")}
        return {"latency": latency, "counted": self.end_to_end.count, "first_ns": self.first_ns,
                "last_ns": self.last_ns}  # fmt: skip


async def link(asked: dict[str, Any], stamps: Stamps, counted: list[Counted]) -> None:
    pubsub = redis.asyncio.Redis.from_url(asked["redis"]).pubsub()
    await pubsub.subscribe(CHANNEL)
    async for message in pubsub.listen():
        if message["type"] == "message":
            counted[0].take(json.loads(message["data"]), stamps)


async def main(side: str) -> None:
    lines = asyncio.StreamReader(limit=1 << 20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    asked = json.loads(await lines.readline())
    stamps, counted = Stamps(Path(asked["stamps"]), asked["symbols"]), [Counted()]
    works = [feed(asked)] if side == "feed" else [link(asked, stamps, counted) for _ in range(asked["links"])]
    jobs = [asyncio.create_task(work) for work in works]
    print(json.dumps(counted[0].facts()), flush=True)
    while line := (await lines.readline()).decode().strip():
        for job in jobs:
            if job.done():
                job.result()
        if line == "begin":
            counted[0] = Counted()
        print(json.dumps(counted[0].facts()), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main(sys.argv[1]))
