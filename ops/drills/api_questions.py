"""Schemathesis as processes: who asks a running server everything, what was answered, what was wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from simgame import children, env

PHASES: Final = "examples,coverage,fuzzing,stateful"
CHANCE: Final = "fuzzing,stateful"  # the others ask the same whatever the seed
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
DOCUMENTED: Final = ("503", "504")  # of the statuses from 500 on
HEADING: Final = re.compile(r"^_{3,} (.+?) _{3,}$", re.MULTILINE)


class Asked(NamedTuple):
    """Requests of one kind."""

    phase: str
    operation: str
    status: str


class Round:
    """One process of Schemathesis, at work."""

    def __init__(self, process: subprocess.Popen[bytes], said: Path):
        self.process, self.said = process, said

    def goes_on(self) -> bool:
        return self.process.poll() is None

    def findings(self) -> list[str]:
        """What was wrong. Waits for its end."""
        ended = self.process.wait()
        text = self.said.read_text(encoding="utf-8", errors="replace")
        broken = [] if ended in (0, 1) else [f"Schemathesis ended with {ended}: {text[-3_000:]}"]
        return [*broken, *_failures(text)]


class Questions:
    """Rounds of Schemathesis against the server on `port`.

    `folder` gets its notes; `tokens`: of the player who asks, and of some whose sign-ins may be used up.
    """

    def __init__(self, folder: Path, port: int, tokens: Sequence[str]):
        self.folder, self.port, self.rounds = folder, port, 0
        (folder / "tokens").write_text(" ".join(tokens), encoding="ascii")

    def ask(self, seed: int, examples: int, *more: str, phases: str = PHASES) -> list[str]:
        """One round, with so many examples an operation; what was wrong."""
        return [*self.begin(seed, examples, *more, phases=phases).findings(), *self.faults()]

    def begin(self, seed: int, examples: int, *more: str, phases: str = PHASES, port: int = 0) -> Round:
        """One round beside others, if need be at another web worker."""
        self.rounds += 1
        words = [
            *("run", f"http://127.0.0.1:{port or self.port}/api/schema/?format=json", "--phases", phases),
            *("--checks", ",".join(CHECKS), "--seed", str(seed), "--max-examples", str(examples)),
            *("--continue-on-failure", "--no-shrink", "--no-color", "--warnings", "off", *more),
            *("--generation-with-security-parameters", "false", "--generation-database", "none"),
            *("--suppress-health-check", "all"),
        ]
        environment = os.environ | {
            "SCHEMATHESIS_HOOKS": "ops.drills.api_hooks",
            "SIMGAME_DRILL_API": str(self.folder),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(self.folder / "hypothesis"),  # which characters there are
            "PYTHONPATH": str(env.BASE_DIR),
        }
        tool = str(Path(sys.executable).parent / "schemathesis")
        place = self.folder / f"round{self.rounds}"
        place.mkdir()
        with open(said := place / "said", "wb") as output:
            process = children.spawn(
                [tool, *words],
                cwd=place,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        return Round(process, said)

    def faults(self) -> list[str]:
        """Answers that are a fault of ours, whatever the schema says."""
        return [
            f"{count} answers {status}"
            for status, count in sorted(self.statuses.items())
            if status.startswith("5") and status not in DOCUMENTED
        ]

    def answers(self) -> Iterator[tuple[Asked, int]]:
        for path in self.folder.glob("answers.*"):
            for line in path.read_text(encoding="utf-8").splitlines():
                *what, count = line.split("\t")
                yield Asked(*what), int(count)

    def by(self, *names: str) -> Counter[Any]:
        """Requests by phase, operation or status, or by several of them."""
        found: Counter[Any] = Counter()
        for asked, count in self.answers():
            key = tuple(getattr(asked, name) for name in names)
            found[key if len(names) > 1 else key[0]] += count
        return found

    @property
    def statuses(self) -> Counter[str]:
        return self.by("status")

    @property
    def asked(self) -> int:
        return sum(count for _, count in self.answers())


def _failures(said: str) -> list[str]:
    """The paragraphs between FAILURES or ERRORS and SUMMARY, each with the operation it is about."""
    told = re.split(r"^=+ SUMMARY =+$", said, flags=re.MULTILINE)[0]
    _, *parts = HEADING.split(told)
    return [
        f"{name}: {' '.join(text.split())[:900]}" for name, text in zip(parts[::2], parts[1::2], strict=True)
    ]
