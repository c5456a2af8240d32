"""Bench of the front door: what authentication, row-level security and audit add to an order and to a page.

One private durable PostgreSQL, feed and exchange, and five web workers: the game's own, and some that leave a
part out (cost_settings, cost_trust). They are asked turn about, so that a slow minute of the machine hits all
alike; row-level security and the triggers of history are switched off in the database for the turns without
them. Shown is the least of the turns, because others on the machine only ever add; all are in the report. A
layer adds what is saved where only that layer is missing.
"""

from __future__ import annotations

import json
import logging
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from subprocess import Popen
from typing import Any, Final, NamedTuple

import httpx

from ops.load import processes
from ops.load.bench import Report, Say, machine, positive, positive_int

HELP = "What authentication, row-level security and the audit trail add to an order and to a page."
TOOLS, CLIENT = "ops.load.cost_tools", "ops.load.cost_client"
WARM_S: Final = 0.7  # plans are made anew after row-level security was switched
PAGE_S_MIN: Final = 2.0  # a page takes long on a busy machine, and one answer there must be
PATIENCE_S: Final = 60.0
STARTS: Final = 8  # attempts to reach a worker that is starting, with longer and longer pauses: a minute
MARKETABLE: Final = 50  # percent of orders that can fill


class Way(NamedTuple):
    """What a turn leaves out: in the web worker (BENCH_WITHOUT), and in the database."""

    without: str = ""
    rows: str = "on"
    trail: str = "on"


class Ask(NamedTuple):
    """What is asked, with which credential, and with what left out."""

    path: str
    credential: str
    ways: tuple[str, ...]


WAYS: Final = {
    "whole": Way(),
    "without authentication": Way("auth"),
    "without row-level security": Way("rows", rows="off"),
    "without audit": Way(trail="off"),
    "without all three": Way("auth,rows", rows="off", trail="off"),
    "nothing remembered": Way("memory"),
}
EACH: Final = tuple(WAYS)[:5]
ORDERS: Final = "/v2/orders"
ASKS: Final = {
    "order, key": Ask(ORDERS, "key", tuple(WAYS)),
    "order, token": Ask(ORDERS, "token", ("whole", "without authentication", "nothing remembered")),
    "order, session": Ask(ORDERS, "session", ("whole", "without authentication", "nothing remembered")),
    "page, desk": Ask("/desk/", "session", EACH),
    "page, portfolio": Ask("/portfolio/", "session", EACH),
    "page, desk, by an operator": Ask("/desk/", "operator", ("whole", "without audit")),
}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--turns", type=positive_int, default=3, help="of everything")
    parser.add_argument("--seconds", type=positive, default=2.0, help="of each measurement")
    parser.add_argument("--connections", type=positive_int, default=16, help="that send orders; pages: 1")


def run(options: dict[str, Any], say: Say) -> Report:
    """Raises RuntimeError when something does not start, or refuses."""
    before = machine()
    logging.getLogger("httpx").setLevel(logging.WARNING)  # our progress stands there
    with processes.home(say, keep=False) as environment, _ready(environment, options, say) as bench:
        bench.furnish()
        bench.wake()
        for turn in range(options["turns"]):
            bench.turn(turn, say)
        bench.show_a_wrong_secret()
        return {
            "bench": "cost",
            "machine": before,
            "seconds": options["seconds"],
            "turns": options["turns"],
            "proofs": bench.proofs,
            "rows": bench.rows(),
            "adds": bench.adds(),
        }


class Bench:
    def __init__(self, tools: Popen[Any], client: Popen[Any], options: dict[str, Any]):
        self.tools, self.client, self.options = tools, client, options
        self.web = httpx.Client(timeout=PATIENCE_S, transport=httpx.HTTPTransport(retries=STARTS))
        self.people: dict[str, Any] = {}
        self.orders: list[Any] = []
        self.servers: dict[str, tuple[int, int]] = {}  # by what they leave out: port and process
        self.exchange = self.database = self.rounds = 0
        self.standing = Way()
        self.proofs: dict[str, dict[str, Any]] = {"row-level security": {}, "audit": {}, "authentication": {}}
        self.measured: dict[tuple[str, str], list[Report]] = {}

    def furnish(self) -> None:
        """The player whose pages are looked at gets some holdings and some orders, and sends no more."""
        url = f"http://127.0.0.1:{self.servers[''][0]}{ORDERS}"
        for order, price in product(self.orders, ("high", "low")):
            body = {"symbol": order["symbol"], "qty": "100", "side": "buy", "type": "limit"}
            said = self.web.post(
                url, headers=self.people["key"][-1], json=body | {"limit_price": order[price]}
            )
            if said.status_code != 200:
                raise RuntimeError(f"an order of the player who looks: {said.status_code} {said.text[:300]}")

    def wake(self) -> None:
        """Everything once at each worker: templates are read, players are known."""
        for what, ask in ASKS.items():
            for way in ask.ways:
                port, _ = self.servers[WAYS[way].without]
                verb = "DELETE" if ask.path == ORDERS else "GET"
                url, headers = f"http://127.0.0.1:{port}{ask.path}", self.people[ask.credential][0]
                try:
                    said = self.web.request(verb, url, headers=headers)
                except httpx.HTTPError as error:
                    raise RuntimeError(f"a web worker {WAYS[way]} does not answer: {error}") from error
                if said.status_code not in (200, 207):
                    raise RuntimeError(f"{what}, {way}: {said.status_code} {said.text[:300]}")

    def turn(self, number: int, say: Say) -> None:
        """Everything once; every other turn the other way round."""
        ways = list(WAYS) if number % 2 == 0 else list(WAYS)[::-1]
        for way in ways:
            self.switch(WAYS[way])
            for what, ask in ASKS.items():
                if way in ask.ways:
                    found = self.measure(ask, WAYS[way])
                    self.measured.setdefault((what, way), []).append(found)
                    say(f"turn {number + 1}, {what}, {way}: {found['ms']} ms, {found['cpu_us']:,} µs")
        self.switch(Way())

    def switch(self, way: Way) -> None:
        for name, proof, now, wanted in (
            ("rows", "row-level security", self.standing.rows, way.rows),
            ("trail", "audit", self.standing.trail, way.trail),
        ):
            if now != wanted or wanted not in self.proofs[proof]:
                self.proofs[proof][wanted] = self.told(f"{name} {wanted}")
        self.standing = way

    def measure(self, ask: Ask, way: Way) -> Report:
        port, worker = self.servers[way.without]
        question: dict[str, Any] = {
            "port": port,
            "path": ask.path,
            "headers": self.people[ask.credential][-1:],
            "connections": 1,
            "seconds": max(self.options["seconds"], 0.0 if ask.path == ORDERS else PAGE_S_MIN),
            "warm_s": min(WARM_S, self.options["seconds"]),
            "watched": {"web": worker, "exchange": self.exchange},
            "families": {"database": self.database},
        }
        if ask.path == ORDERS:
            self.rounds += 1  # each names its orders anew: the same again would be a repetition
            question |= {"orders": self.orders, "marketable": MARKETABLE, "run": f"cost{self.rounds}"}
            question["connections"] = self.options["connections"]
            question["headers"] = self.people[ask.credential][:-1]
        found = processes.ask(self.client, json.dumps(question))
        if found["errors"] or not found["acks_per_s"]:
            raise RuntimeError(f"{ask.path} was refused, or had no answer in time: {found}")
        spent = {name: us for name, us in found["cpu_us_per_ack"].items() if name != "client"}
        return {
            "per_s": found["acks_per_s"],
            "ms": found["p50_ms"],
            "cpu_us": sum(spent.values()),
            "spent": spent,
        }

    def show_a_wrong_secret(self) -> None:
        """What the road of orders says to it, with authentication and without."""
        headers = self.people["key"][0] | {"APCA-API-SECRET-KEY": "wrong"}
        for word, way in (("on", WAYS["whole"]), ("off", WAYS["without authentication"])):
            url = f"http://127.0.0.1:{self.servers[way.without][0]}{ORDERS}"
            said = self.web.delete(url, headers=headers)
            self.proofs["authentication"][word] = {"wrong_secret": said.status_code}

    def told(self, line: str) -> Report:
        return processes.ask(self.tools, line)

    def rows(self) -> list[Report]:
        return [{"what": what, "way": way, **_least(found)} for (what, way), found in self.measured.items()]

    def adds(self) -> dict[str, dict[str, Report]]:
        """What a layer adds: the whole less what is left without it."""
        layers: dict[str, dict[str, Report]] = {}
        for (what, way), found in self.measured.items():
            if way == "whole":
                continue
            whole, left = _least(self.measured[what, "whole"]), _least(found)
            sign = -1 if way == "nothing remembered" else 1
            layers.setdefault(what, {})[way.removeprefix("without ")] = {
                name: round(sign * (whole[name] - left[name]), 2) for name in ("ms", "cpu_us")
            }
        return layers


def _least(found: list[Report]) -> Report:
    return {
        "per_s": max(each["per_s"] for each in found),
        "ms": min(each["ms"] for each in found),
        "cpu_us": min(each["cpu_us"] for each in found),
        "spent": min(found, key=lambda each: each["cpu_us"])["spent"],
        "ms_all": [each["ms"] for each in found],
        "cpu_us_all": [each["cpu_us"] for each in found],
    }


@contextmanager
def _ready(environment: dict[str, str], options: dict[str, Any], say: Say) -> Iterator[Bench]:
    count = options["connections"] + 1  # and who looks at pages
    with ExitStack() as running:
        stage = running.enter_context(processes.stage(count, environment, say))
        street = running.enter_context(processes.street(stage, environment))
        tools = running.enter_context(processes.python(TOOLS, [], environment))
        client = running.enter_context(processes.python(CLIENT, [], environment))
        bench = Bench(tools, client, options)
        bench.people = {"key": street.players["headers"], **bench.told("people")}
        bench.orders = street.players["orders"]
        bench.exchange, bench.database = street.watched["exchange"], bench.told("server")["pid"]
        bench.servers[""] = (street.port, street.watched["web"])
        for without in {way.without for way in WAYS.values()} - {""}:
            part = environment | {
                "DJANGO_SETTINGS_MODULE": "ops.load.cost_settings",
                "BENCH_WITHOUT": without,
            }
            port, worker = running.enter_context(processes.own_server(part))
            bench.servers[without] = (port, worker.pid)
        yield bench


def table(found: Report) -> str:
    lines = [f"{'':<58}{'a second':>10}{'ms':>9}{'µs of processor':>18}"]
    for row in found["rows"]:
        name = f"{row['what']}, {row['way']}"
        lines.append(f"{name:<58}{row['per_s']:>10,.0f}{row['ms']:>9.2f}{row['cpu_us']:>18,.0f}")
    lines.append("a layer adds:")
    for what, layers in found["adds"].items():
        lines += [
            f"{f'{what}: {layer}':<68}{each['ms']:>9.2f}{each['cpu_us']:>18,.0f}"
            for layer, each in layers.items()
        ]
    return "\n".join(lines)
