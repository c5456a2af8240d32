"""`manage.py drill api`: Schemathesis asks a real server everything that its schema allows, and much that it
does not."""

from __future__ import annotations

import os
import tempfile
import time
from argparse import ArgumentParser
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from subprocess import Popen
from typing import Any, Final

import httpx

from accounts import tokens
from accounts.models import Player
from market.models import World
from ops.chaos.town import Town, wait_for
from ops.drills import private
from ops.drills.api_questions import CHANCE, PHASES, Questions, Round
from ops.load.bench import machine, positive_int
from ops.load.processes import own_server
from simgame.kernel import clock
from trading import games, invariants
from trading.proof import progress

LIFETIME: Final = timedelta(days=7)
SPENT_TOKENS: Final = 200  # of players whose sign-ins are ended again and again
FINDINGS_MAX: Final = 50
ROUND_S: Final = 600  # so long a round goes on
GUESSED_PER_S: Final = 60  # requests: what is reckoned with until it is known
EXAMPLES_MAX: Final = 100  # of an operation in one pass; a round makes as many passes as it has time for
OPERATIONS: Final = 150  # about so many: a short drill asks each less often
LOOK_EVERY_S: Final = 1.0
HELP = """Schemathesis, all phases, over the schema that a real server serves; then the books must balance.

  manage.py drill api                                    100,000 requests
  manage.py drill api --requests 2000 --seed 7 --format json
  manage.py drill api --seconds 600

A private home gets PostgreSQL, Valkey, a feed, an exchange and a web worker for each process that asks.
Judged: no fault of ours (5xx but 503 and 504, which are documented), no status, type, header or shape that
the schema does not know, every process alive, and the books hold afterwards.

Exit codes: 0 nothing found, 1 it could not run, 2 wrong usage, 3 findings (with --seed to repeat them)."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--requests", type=positive_int, default=100_000, metavar="N")
    parser.add_argument("--seconds", type=positive_int, default=24 * 3_600, help="at most so long")
    cores = os.cpu_count() or 1
    parser.add_argument(
        "--processes",
        type=positive_int,
        default=cores,
        help="that ask at once, each at a web worker of its own",
    )
    parser.add_argument("--seed", type=int, default=1, help="the same seed asks much the same")


def run(options: dict[str, Any]) -> dict[str, Any]:
    """The report; `difference` is None when nothing was found."""
    names = ("requests", "seconds", "seed", "processes", "format")
    private.move(["drill", "api", *(word for name in names for word in (f"--{name}", str(options[name])))])
    os.environ["SIMGAME_REGISTER_RATE"] = "1000000"
    with ExitStack() as running:
        town, world = running.enter_context(private.town("feed", "exchange", "web"))
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        log = running.enter_context(open(town.log_of("web"), "ab"))
        own = partial(own_server, dict(os.environ), stdout=log, stderr=log)
        more = dict(running.enter_context(own()) for _ in range(options["processes"] - 1))
        drill = Drill(town, world, folder, options["seed"], more)
        drill.ask(options["requests"], options["seconds"])
        drill.settle()
        return drill.report()


class Drill:
    def __init__(self, town: Town, world: World, folder: Path, seed: int, more: dict[int, Popen[Any]]):
        """`more`: further web workers by port."""
        self.town, self.world, self.seed = town, world, seed
        self.webs = {town.port: town.running["web"], **more}
        self.began_s = clock.monotonic_s()
        self.findings: list[str] = []
        self.breaks = 0
        self.questions = Questions(folder, town.port, self._tokens())

    def ask(self, requests: int, seconds: int) -> None:
        """A round at each web worker, each with the next seed, until so many requests were asked.

        The first one goes through all phases; the others do without those that know no chance.
        """
        for port in self.webs:
            wait_for(partial(self._answers, port), "a web worker")
        running: dict[int, Round] = {}
        asked = 0
        with progress.bar("API", requests) as advance:
            while True:
                before, asked = asked, self.questions.asked
                advance(asked - before)
                for port in [port for port, each in running.items() if not each.goes_on()]:
                    self._end(running.pop(port))
                if asked < requests and self.seconds < seconds:
                    for port in self.webs.keys() - running.keys():
                        running[port] = self._begin(port, requests - asked, seconds - self.seconds)
                elif not running:
                    break
                time.sleep(LOOK_EVERY_S)
        for fault in self.questions.faults():
            self._found(fault)

    def _begin(self, port: int, left: int, seconds: int) -> Round:
        number = self.questions.rounds
        asked = self.questions.asked
        rate = asked / max(self.seconds, 1) if asked else GUESSED_PER_S
        budget = max(1, min(ROUND_S, seconds, round(left / rate)))
        examples = max(1, min(EXAMPLES_MAX, left // (OPERATIONS * len(self.webs))))
        phases = CHANCE if number else PHASES
        timed = ("--max-time", str(budget))
        return self.questions.begin(self.seed + number, examples, *timed, phases=phases, port=port)

    def _end(self, ended: Round) -> None:
        for found in ended.findings():
            self._found(found)
        if not self.questions.asked:
            raise RuntimeError("Schemathesis asked nothing: " + "; ".join(self.findings[:3]))

    @property
    def seconds(self) -> int:
        return round(clock.monotonic_s() - self.began_s)

    def _tokens(self) -> list[str]:
        """That of the player who asks, and those that are used up. They live as long as the drill."""
        season = games.ensure_season(self.world)
        found = []
        tokens.Access.lifetime = LIFETIME  # of those that this process issues
        for n in range(SPENT_TOKENS + 1):
            player = Player.objects.create(username=f"asks{n}")
            if n == 0:
                games.join(player, season)
            found.append(tokens.issue(player, "drill", None).access)
        return found

    def _answers(self, port: int) -> bool:
        return self.webs[port].poll() is None and bool(_schema(port))

    def settle(self) -> None:
        for name in ("feed", "exchange", "web"):
            if self.town.running[name].poll() is not None:
                self._found(f"{name} ended: {self.town.last_words(name)}")
        for web in self.webs.values():
            if web.poll() is not None:
                self._found(f"a web worker ended with {web.poll()}")
        report = invariants.reconcile(self.world)
        self.breaks = report.breaks
        for found in report.found:
            self._found(f"the books: {found.as_dict()}")

    def _found(self, what: str) -> None:
        if len(self.findings) < FINDINGS_MAX and what not in self.findings:
            self.findings.append(what)

    def report(self) -> dict[str, Any]:
        questions, seconds = self.questions, self.seconds
        operations: dict[str, dict[str, int]] = {}
        for (operation, status), count in sorted(questions.by("operation", "status").items()):
            operations.setdefault(operation, {})[status] = count
        return {
            "drill": "api",
            "seed": self.seed,
            "machine": machine(),
            "web_workers": len(self.webs),
            "rounds": questions.rounds,
            "requests": questions.asked,
            "seconds": seconds,
            "per_s": round(questions.asked / max(seconds, 1)),
            "phases": dict(sorted(questions.by("phase").items())),
            "statuses": dict(sorted(questions.statuses.items())),
            "operations": operations,
            "breaks": self.breaks,
            "difference": {"findings": self.findings} if self.findings else None,
        }


def _schema(port: int) -> bytes:
    """What the web worker serves; nothing while it does not answer."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/schema/?format=json", timeout=60).content
    except httpx.HTTPError:
        return b""
