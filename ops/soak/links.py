"""Downstreams of a feed: so many links over its socket, in a process of its own, counting what each gets.

    python -m ops.soak.links      (one line of JSON first: world, address, links, stamps, symbols)

Then lines: `begin` (count anew), `facts`; each is answered by a line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from uvloop import new_event_loop

if not apps.ready:
    django.setup()

from market.feed.client import FeedClient
from market.feed.run import make_way
from market.ticks import Print, Quote, Tick
from ops.soak.spread import Spread
from ops.soak.stamps import Stamps


class Counted:
    """What all links together got since `begin`; the parts of the way as the first of them sees them."""

    def __init__(self) -> None:
        self.ingest, self.fan_out, self.end_to_end = Spread(), Spread(), Spread()
        self.first_ns = self.last_ns = 0


class Downstream:
    """One link. `missing`: numbers of the feed that were skipped; `lost`: of the venue."""

    def __init__(self, number: int, asked: dict[str, Any], stamps: Stamps):
        self.client = FeedClient(asked["world"], role=f"drill{number}", address=asked["address"])
        self.stamps, self.first = stamps, number == 0
        self.heads: dict[tuple[str, bool], int] = {}
        self.seq = self.ticks = self.lists = self.missing = self.doubled = self.snapshots = 0

    async def listen(self, counted: list[Counted]) -> None:
        seen = 0
        async for ticks in self.client:
            now_ns = time.time_ns()
            if self.client.snapshots != seen:
                seen = self.client.snapshots
                self._begin(ticks)
            else:
                self._take(ticks, now_ns, counted[0])

    def _begin(self, snapshot: list[Tick]) -> None:
        self.snapshots += 1
        self.seq = max((tick.seq for tick in snapshot), default=0)
        for tick in snapshot:
            if isinstance(tick, Quote):
                self.heads[tick.symbol, False] = tick.source_seq

    def _take(self, ticks: list[Tick], now_ns: int, counted: Counted) -> None:
        self.lists += 1
        stamps, heads, times = self.stamps, self.heads, self.stamps.times
        counted.first_ns = counted.first_ns or now_ns
        counted.last_ns = now_ns
        self.missing += ticks[-1].seq - self.seq - len(ticks)  # the client passes rising numbers only
        self.seq = ticks[-1].seq
        for tick in ticks:
            trade = type(tick) is Print
            if not trade and type(tick) is not Quote:
                continue
            stream, number = (tick.symbol, trade), tick.source_seq
            if (last := heads.get(stream, 0)) >= number:
                self.doubled += trade or number < last
                continue
            heads[stream] = number
            self.ticks += 1
            sent_ns = times[stamps.slot(stamps.places[tick.symbol], trade, number)]
            counted.end_to_end.add(now_ns - sent_ns)
            if self.first:
                counted.ingest.add(tick.received_ns - sent_ns)
                counted.fan_out.add(now_ns - tick.received_ns)

    def facts(self) -> dict[str, int]:
        names = ("seq", "ticks", "lists", "missing", "doubled", "snapshots")
        return {name: getattr(self, name) for name in names}


def facts(counted: Counted, links: list[Downstream]) -> dict[str, Any]:
    return {
        "latency": {name: getattr(counted, name).facts() for name in ("ingest", "fan_out", "end_to_end")},
        "counted": counted.end_to_end.count,
        "first_ns": counted.first_ns,
        "last_ns": counted.last_ns,
        "links": [link.facts() for link in links],
        "cpu_s": time.process_time(),
    }


async def main() -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    asked = json.loads(await lines.readline())
    stamps = Stamps(Path(asked["stamps"]), asked["symbols"])
    links = [Downstream(number, asked, stamps) for number in range(asked["links"])]
    counted = [Counted()]
    make_way()  # its look at all of Django takes a tenth of a second, which is not the feed's
    jobs = [asyncio.create_task(link.listen(counted)) for link in links]
    print(json.dumps(facts(counted[0], links)), flush=True)
    while line := (await lines.readline()).decode().strip():
        for job in jobs:
            if job.done():
                job.result()
        if line == "begin":
            counted[0] = Counted()
        print(json.dumps(facts(counted[0], links)), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())
