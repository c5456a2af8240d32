"""The load of a drill, a process of its own: players over HTTP who write down every wish and every answer.

    python -m ops.chaos.load FOLDER      (one line of JSON first: port, rate, seed, world, players, watchers)

Then lines: `go`, `pause` (everybody gets a certain answer to what they asked, then `paused`), `stop`.
Some players also read their private stream, resume it after every break, and write down what it said.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from ops.chaos.acklog import NAME, Answer, Look, Wish, Writer
from ops.chaos.http import Wire
from ops.chaos.stream import Listener
from ops.chaos.wishes import Player, Quotes

BACKOFF_S = 0.05  # of a polite client that hears "try again"
QUOTES_S = 0.5
LOOK_EVERY = 15  # wishes of a player


class Pace:
    """So many wishes a second over all players, evenly; who is late does not hurry afterwards."""

    def __init__(self, rate: float):
        self.gap_s = 1 / rate
        self._next = 0.0

    async def turn(self) -> None:
        now = time.monotonic()
        self._next = max(now, self._next + self.gap_s)
        await asyncio.sleep(self._next - now)


class Load:
    def __init__(self, asked: dict[str, Any], folder: Path):
        self.asked, self.folder = asked, folder
        self.pace = Pace(asked["rate"])
        self.quotes: Quotes = {}
        self.may_go = asyncio.Event()
        self.busy = 0
        self.over = False

    async def run(self) -> None:
        jobs = [asyncio.create_task(self._look())]
        for number, player in enumerate(self.asked["players"]):
            jobs.append(asyncio.create_task(self._live(number, player)))
            if number < self.asked["watchers"]:
                jobs.append(asyncio.create_task(Listener(self.asked["port"], player, self.folder).run()))
        jobs.append(asyncio.create_task(self._obey()))
        done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        for job in done:
            job.result()

    async def _obey(self) -> None:
        lines = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        print("ready", flush=True)
        while line := (await lines.readline()).decode().strip():
            if line == "go":
                self.may_go.set()
                continue
            self.may_go.clear()
            while self.busy:
                await asyncio.sleep(0.005)
            print("paused" if line == "pause" else "stopped", flush=True)
            if line == "stop":
                return

    async def _look(self) -> None:
        """The market, as everybody may see it."""
        wire = Wire(self.asked["port"], {})
        while True:
            said = await wire.ask("GET", f"/api/v1/quotes?world={self.asked['world']}")
            if said.status == 200:
                rows = said.body["quotes"]
                self.quotes = {symbol: row for symbol, row in rows.items() if row["bid"] or row["ask"]}
            await asyncio.sleep(QUOTES_S)

    async def _live(self, number: int, who: dict[str, Any]) -> None:
        player = Player(number, who["portfolio"], self.asked["seed"])
        wire = Wire(self.asked["port"], who["headers"])
        log = Writer(self.folder / NAME.format(number))
        while True:
            await self.may_go.wait()
            await self.pace.turn()
            if not self.quotes or not self.may_go.is_set():
                await asyncio.sleep(BACKOFF_S)
                continue
            self.busy += 1
            try:
                wish = player.wish(self.quotes, time.monotonic_ns())
                player.told(wish, await _insist(wire, log, wish))
                if player.count % LOOK_EVERY == 0:
                    await _look(wire, log, player.portfolio)
            finally:
                self.busy -= 1


async def _insist(wire: Wire, log: Writer, wish: Wish) -> Answer:
    """Ask until the answer is certain, always under the same key."""
    log.write(wish)
    while True:
        sent_ns = time.monotonic_ns()
        said = await wire.ask(wish.method, wish.path, wish.body, **{"Idempotency-Key": wish.key})
        replayed = said.headers.get("idempotent-replayed") == "true"
        answer = Answer(wish.n, sent_ns, time.monotonic_ns(), said.status, replayed, said.body)
        log.write(answer)
        if answer.decided:
            return answer
        await asyncio.sleep(BACKOFF_S)


async def _look(wire: Wire, log: Writer, portfolio: int) -> None:
    """Read the own desk, for the history; what cannot be answered now is no answer."""
    sent_ns = time.monotonic_ns()
    said = await wire.ask("GET", "/api/v1/desk")
    if said.status == 200:
        log.write(Look(portfolio, sent_ns, time.monotonic_ns(), said.body))


if __name__ == "__main__":
    question = json.loads(sys.stdin.readline())
    asyncio.run(Load(question, Path(sys.argv[1])).run())
