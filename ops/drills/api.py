"""`manage.py drill api`: Schemathesis asks a real server everything that its schema allows, and much that it
does not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import httpx
from django.test import override_settings

from accounts import tokens
from accounts.models import Player
from market.models import World
from ops.chaos.town import Town, wait_for
from ops.drills import private
from ops.load.bench import positive_int
from simgame import env
from simgame.kernel import clock
from trading import games, invariants
from trading.proof import progress

PHASES: Final = "examples,coverage,fuzzing,stateful"
# What a wrong answer is. Left out: whether everything that the schema allows is accepted, because a schema
# cannot say what an exchange refuses, and whether everything else is refused: the suite does that by hand.
CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
)
SPENT_TOKENS: Final = 200  # of players whose sign-ins are ended again and again
FINDINGS_MAX: Final = 50
ROUND_S: Final = 600  # so long a round may go on with fuzzing
HEADING: Final = re.compile(r"^_{3,} (.+?) _{3,}$", re.MULTILINE)
HELP = """Schemathesis, all phases, over the schema that a real server serves; then the books must balance.

  manage.py drill api                                    100,000 requests: an hour or two
  manage.py drill api --requests 2000 --seed 7 --format json
  manage.py drill api --seconds 600

A private home gets PostgreSQL, Valkey, a feed, an exchange and a web worker. Judged: no fault of ours (5xx
but 503 and 504, which are documented), no status, type, header or shape that the schema does not know, every
process alive, and the books hold afterwards.

Exit codes: 0 nothing found, 1 it could not run, 2 wrong usage, 3 findings (with --seed to repeat them)."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--requests", type=positive_int, default=100_000, metavar="N")
    parser.add_argument("--seconds", type=positive_int, default=24 * 3_600, help="at most so long")
    parser.add_argument("--seed", type=int, default=1, help="the same seed asks much the same")


def run(options: dict[str, Any]) -> dict[str, Any]:
    """The report; `difference` is None when nothing was found."""
    names = ("requests", "seconds", "seed", "format")
    private.move(["drill", "api", *(word for name in names for word in (f"--{name}", str(options[name])))])
    os.environ["SIMGAME_REGISTER_RATE"] = "1000000"
    with private.town("feed", "exchange", "web") as (town, world), tempfile.TemporaryDirectory() as folder:
        drill = Drill(town, world, Path(folder), options["seed"])
        drill.ask(options["requests"], options["seconds"])
        drill.settle()
        return drill.report()


class Questions:
    """Rounds of Schemathesis against the server on `port`.

    `folder` gets its notes; `tokens`: of the player who asks, and of some whose sign-ins may be used up.
    """

    def __init__(self, folder: Path, port: int, tokens: Sequence[str]):
        self.folder, self.port = folder, port
        (folder / "tokens").write_text(" ".join(tokens), encoding="ascii")

    def ask(self, seed: int, examples: int, *more: str, phases: str = PHASES) -> list[str]:
        """One round, with so many examples an operation; what was wrong."""
        words = [
            *("run", f"http://127.0.0.1:{self.port}/api/schema/?format=json", "--phases", phases),
            *("--checks", ",".join(CHECKS), "--seed", str(seed), "--max-examples", str(examples)),
            *("--continue-on-failure", "--no-shrink", "--no-color", "--warnings", "off", *more),
            *("--generation-with-security-parameters", "false", "--generation-database", "none"),
            *("--suppress-health-check", "all"),
        ]
        environment = os.environ | {
            "SCHEMATHESIS_HOOKS": "ops.drills.api_hooks",
            "SIMGAME_DRILL_API": str(self.folder),
            "PYTHONPATH": str(env.BASE_DIR),
        }
        tool = str(Path(sys.executable).parent / "schemathesis")
        asks = subprocess.run(
            [tool, *words], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        broken = [] if asks.returncode in (0, 1) else [asks.stdout[-2_000:] + asks.stderr[-1_000:]]
        faults = [
            f"{count} answers {status}"
            for status, count in self.statuses.items()
            if status.startswith("5") and status not in ("503", "504")
        ]
        return [*broken, *_failures(asks.stdout), *faults]

    @property
    def statuses(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for path in self.folder.glob("statuses.*"):
            for line in path.read_text(encoding="ascii").splitlines():
                status, count = line.split()
                found[status] += int(count)
        return found

    @property
    def asked(self) -> int:
        return sum(self.statuses.values())


class Drill:
    def __init__(self, town: Town, world: World, folder: Path, seed: int):
        self.town, self.world, self.seed = town, world, seed
        self.began_s = clock.monotonic_s()
        self.findings: list[str] = []
        self.rounds = self.breaks = 0
        self.questions = Questions(folder, town.port, self._tokens())

    def ask(self, requests: int, seconds: int) -> None:
        """Round after round, each with the next seed, until so many requests were asked."""
        wait_for(self._answers, "the web worker")
        with progress.bar("API", requests) as advance:
            while (before := self.questions.asked) < requests and self.seconds < seconds:
                self.rounds += 1
                left, budget = requests - before, min(ROUND_S, seconds - self.seconds)
                timed = ("--max-time", str(max(1, budget)))
                for found in self.questions.ask(
                    self.seed + self.rounds, max(1, min(100, left // 150)), *timed
                ):
                    self._found(found)
                advance(self.questions.asked - before)
                if self.questions.asked == before:
                    raise RuntimeError("Schemathesis asked nothing: " + "; ".join(self.findings[:3]))

    @property
    def seconds(self) -> int:
        return round(clock.monotonic_s() - self.began_s)

    def _tokens(self) -> list[str]:
        """That of the player who asks, and those that are used up. They live as long as the drill."""
        season = games.ensure_season(self.world)
        found = []
        with override_settings(ACCESS_TOKEN_S=7 * 86_400):
            for n in range(SPENT_TOKENS + 1):
                player = Player.objects.create(username=f"asks{n}")
                if n == 0:
                    games.join(player, season)
                found.append(tokens.issue(player, "drill", None).access)
        return found

    def _answers(self) -> bool:
        return self.town.running["web"].poll() is None and bool(_schema(self.town.port))

    def settle(self) -> None:
        for name in ("feed", "exchange", "web"):
            if self.town.running[name].poll() is not None:
                self._found(f"{name} ended: {self.town.last_words(name)}")
        report = invariants.reconcile(self.world)
        self.breaks = report.breaks
        for found in report.found:
            self._found(f"the books: {found.as_dict()}")

    def _found(self, what: str) -> None:
        if len(self.findings) < FINDINGS_MAX and what not in self.findings:
            self.findings.append(what)

    def report(self) -> dict[str, Any]:
        return {
            "drill": "api",
            "seed": self.seed,
            "rounds": self.rounds,
            "requests": self.questions.asked,
            "seconds": self.seconds,
            "statuses": dict(sorted(self.questions.statuses.items())),
            "breaks": self.breaks,
            "difference": {"findings": self.findings} if self.findings else None,
        }


def _failures(said: str) -> list[str]:
    """The paragraphs between FAILURES or ERRORS and SUMMARY, each with the operation it is about."""
    told = re.split(r"^=+ SUMMARY =+$", said, flags=re.MULTILINE)[0]
    _, *parts = HEADING.split(told)
    return [
        f"{name}: {' '.join(text.split())[:900]}" for name, text in zip(parts[::2], parts[1::2], strict=True)
    ]


def _schema(port: int) -> bytes:
    """What the web worker serves; nothing while it does not answer."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/schema/?format=json", timeout=60).content
    except httpx.HTTPError:
        return b""
