"""`manage.py compile_engine`: what every order runs through in the exchange, as machine code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from ops.compiling.parts import count
from simgame import env
from simgame.kernel import clock, compiled
from simgame.kernel.teaching import TeachingCommand
from trading.exchange.version import engine_version

ABOUT = """Compile what every order runs through in the exchange (mypyc), prove it against the sources,
publish it: the engine, and what makes rows, messages and answers of its events.

  manage.py compile_engine             build, prove, publish: two or three minutes of one core
  manage.py compile_engine --check     say whether the exchange that runs would be the compiled one
  manage.py compile_engine --remove    back to the sources

Needs a C compiler, Python's headers, and mypy and setuptools (both in requirements.txt). Before it is
published it gets --commands random commands and must answer byte for byte what the sources answer: every
event, and every parameter, message and answer that is made of them. It lies in the Python environment and
belongs to exactly these sources: after any change of them the sources run until the command is given again.
Exchanges that run now use it from their next start. SIMGAME_ENGINE=pure leaves it aside for one process.
Exit codes: 0 done (--check: it is there), 1 failed, 2 wrong usage, 3 --check: it is not there."""
EXIT_ABSENT = 3
PROVED = ("events", "rows")
BUILDING = "building-"


class Command(TeachingCommand):
    help = ABOUT
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--check", action="store_true")
        what.add_argument("--remove", action="store_true")
        parser.add_argument("--commands", type=int, default=200_000, metavar="N", help="of the proof")
        parser.add_argument(
            "-O", dest="level", choices=["0", "1", "2", "3"], default="3", help="of the C compiler"
        )
        parser.add_argument("--format", choices=["table", "json"], default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        twin = compiled.folder(env.BASE_DIR)
        report: dict[str, Any] = {"engine": engine_version(), "folder": str(twin)}
        if options["commands"] < 1:
            raise CommandError("--commands: at least 1; the proof needs something to compare.", returncode=2)
        if options["remove"]:
            shutil.rmtree(twin.parent, ignore_errors=True)
        elif not options["check"] and not twin.is_dir():
            report |= self._make(twin, options["level"], options["commands"])
        report["compiled"] = twin.is_dir()
        self.stdout.write(json.dumps(report) if options["format"] == "json" else _shown(report))
        if options["check"] and not twin.is_dir():
            sys.exit(EXIT_ABSENT)

    def _make(self, twin: Path, level: str, commands: int) -> dict[str, Any]:
        """Build beside where it will lie, prove it there, publish it by one rename."""
        if wants := missing():
            raise CommandError(f"Nothing can be compiled here: {wants}.")
        began = clock.monotonic_s()
        try:
            twin.parent.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(dir=twin.parent, prefix=BUILDING))
        except OSError as error:
            raise CommandError(f"{twin.parent} cannot be written: {error.strerror}.") from error
        try:
            self._say(f"Compiling {count()} modules …")
            _run("ops.compiling.build", str(staging), "-O", level)
            built = clock.monotonic_s()
            shutil.rmtree(staging / "work")
            self._say(f"Built in {built - began:.0f} s. The same {commands:,} commands to both …")
            found = _prove(staging, commands)
            for old in twin.parent.iterdir():
                if not old.name.startswith(BUILDING):  # another may be building at this moment
                    shutil.rmtree(old)
            staging.rename(twin)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return {"build_s": round(built - began, 1), **found}

    def _say(self, line: str) -> None:
        self.stderr.write(line)


def missing() -> str:
    """What this machine lacks, in words; empty when nothing."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    header = Path(sysconfig.get_path("include")) / "Python.h"
    lacks = [name for name in ("mypyc", "setuptools") if find_spec(name) is None]
    if shutil.which(compiler) is None:
        lacks.append(f"a C compiler ({compiler})")
    if not header.is_file():
        lacks.append("Python's headers (Debian: python3-dev)")
    return ", ".join(lacks) + (" missing" if len(lacks) == 1 else " are missing") if lacks else ""


def _prove(staging: Path, commands: int) -> dict[str, Any]:
    asked = ["--commands", str(commands)]
    pure = json.loads(_run("ops.compiling.digest", *asked))
    twin = json.loads(_run("ops.compiling.digest", *asked, engine=str(staging)))
    if other := [what for what in PROVED if pure[what] != twin[what]]:
        raise CommandError(
            f"NOT published: over {commands:,} commands what was compiled made other {' and '.join(other)}. "
            "Please report it, with the versions of Python, mypy and the C compiler."
        )
    proved = {what: pure[what] for what in PROVED}
    return proved | {"sources_per_s": pure["per_s"], "compiled_per_s": twin["per_s"]}


def _run(module: str, *words: str, engine: str = compiled.PURE) -> str:
    """Its standard output. Raises CommandError with the end of what it said, if it failed."""
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=env.BASE_DIR,
        env={**os.environ, compiled.SWITCH: engine},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CommandError(f"{module} failed:\n{(done.stdout + done.stderr)[-2_000:]}")
    return done.stdout


def _shown(report: dict[str, Any]) -> str:
    return "\n".join(f"{name.replace('_', ' '):<16}{value}" for name, value in report.items())
