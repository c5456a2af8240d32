"""`manage.py drill bad_input`: orders that bite, asked of a real server; every answer must be documented."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable
from typing import Any

from market import queries
from market.models import World
from ops.chaos.http import Said, Wire
from ops.chaos.town import Town, wait_for
from ops.drills import private
from ops.drills.documented import Judge, order_of
from ops.drills.nonsense import Asked, Nonsense
from ops.load.bench import positive_int
from simgame.kernel import clock, money
from trading import invariants
from trading.models import Order
from trading.proof import progress

CONNECTIONS = 8
FINDINGS_MAX = 50
HELP = """Generated order requests against a real server, each answered with a documented error or an order.

  manage.py drill bad_input                                     10,000 requests, a few minutes
  manage.py drill bad_input --requests 500 --seed 7 --format json

A private home gets PostgreSQL, Valkey, a feed, an exchange and a web worker. Orders of every kind, previews,
changes and cancels, most of them with something wrong: numbers at and beyond their limits, other writing
systems, wrong types, names twice, missing and unknown fields, terms that do not go together, huge and broken
bodies, odd headers. Judged: no fault of ours (5xx), every code in docs/errors.md with its status, every
order that was told is stored and none besides, and the books hold afterwards.

Exit codes: 0 nothing found, 1 it could not run, 2 wrong usage, 3 findings (with --seed to repeat them)."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--requests", type=positive_int, default=10_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, help="the same seed asks the same")


def run(options: dict[str, Any]) -> dict[str, Any]:
    """The report; `difference` is None when nothing was found."""
    words = ["--requests", str(options["requests"]), "--seed", str(options["seed"])]
    private.move(["drill", "bad_input", *words, "--format", options["format"]])
    with private.town("feed", "exchange", "web") as (town, world):
        drill = Drill(town, world, options["seed"])
        began_s = clock.monotonic_s()
        with progress.bar("Bad input", options["requests"]) as advance:
            asyncio.run(drill.ask(options["requests"], advance))
        drill.settle()
        return drill.report(round(clock.monotonic_s() - began_s, 1))


class Drill:
    def __init__(self, town: Town, world: World, seed: int):
        self.town, self.world, self.seed = town, world, seed
        self.player = private.player(world, "mallory")
        self.nonsense = Nonsense(seed, self._prices())
        self.judge = Judge()
        self.statuses: Counter[int] = Counter()
        self.codes: Counter[str] = Counter()
        self.told: set[str] = set()
        self.breaks = 0
        self.findings: list[str] = []

    def _prices(self) -> dict[str, int]:
        """Some instruments and what they cost, in hundredths."""
        rows = wait_for(lambda: [row for row in queries.quotes(self.world).values() if row["ask"]], "quotes")
        return {row["symbol"]: money.parse(row["ask"], 2) for row in rows[:6]}

    async def ask(self, count: int, advance: Callable[[int], None]) -> None:
        """Over a few connections at once; what is asked does not depend on who asks it."""
        requests = self.nonsense.requests(count)
        await asyncio.to_thread(wait_for, self._web_answers, "the web worker")
        wires = [Wire(self.town.port, self.player["headers"]) for _ in range(CONNECTIONS)]

        async def work(wire: Wire) -> None:
            for asked in requests:
                self._take(asked, await wire.ask(asked.method, asked.path, asked.body, **asked.headers))
                advance(1)
            wire.close()

        await asyncio.gather(*map(work, wires))

    def _web_answers(self) -> bool:
        return asyncio.run(Wire(self.town.port, {}).ask("GET", "/livez")).status == 200

    def _take(self, asked: Asked, said: Said) -> None:
        self.statuses[said.status] += 1
        if said.status >= 400 and isinstance(said.body, dict):
            self.codes[str(said.body.get("reason", said.body.get("code")))] += 1
        wrong = self.judge.wrong(asked, said.status, said.headers, said.body)
        if wrong:
            self._found(f"{wrong}: {asked.method} {asked.path} {asked.headers} {asked.body[:300]!r}")
        order = None if asked.path.endswith("/preview") else order_of(said.status, said.body)
        if order is not None and order["id"] not in self.told:
            self.told.add(order["id"])
            self.nonsense.known.append(order["id"])

    def settle(self) -> None:
        """After the last answer: exactly what was told is stored, and the books hold."""
        rows = Order.objects.filter(world=self.world).exclude(client_order_id__startswith="leg-")
        stored = {str(order) for order in rows.values_list("id", flat=True)}
        for order in sorted(stored ^ self.told):
            self._found(
                f"order {order} was {'stored, but not told' if order in stored else 'told, but not stored'}"
            )
        for name in ("feed", "exchange", "web"):
            if self.town.running[name].poll() is not None:
                self._found(f"{name} ended: {self.town.last_words(name)}")
        report = invariants.reconcile(self.world)
        self.breaks = report.breaks
        for found in report.found[:FINDINGS_MAX]:
            self._found(f"the books: {found.as_dict()}")

    def _found(self, what: str) -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(what)

    def report(self, seconds: float) -> dict[str, Any]:
        return {
            "drill": "bad_input",
            "seed": self.seed,
            "requests": sum(self.statuses.values()),
            "seconds": seconds,
            "orders": len(self.told),
            "statuses": {str(status): n for status, n in sorted(self.statuses.items())},
            "codes": dict(self.codes.most_common()),
            "breaks": self.breaks,
            "difference": {"findings": self.findings} if self.findings else None,
        }
