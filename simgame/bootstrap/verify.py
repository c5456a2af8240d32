"""`manage.py verify`: the same set-up as `play`, then every check of the code, then all tests."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from simgame import env

from . import chromium, environment, extras, security
from .progress import Progress, SetupFailed

TYPED = ("simgame/kernel", "trading/engine", "market")  # what mypy holds to its word
OPTIONAL = {
    "market/sources/live/requirements-ccxt.txt": "ccxt",
    "market/sources/ctp/requirements.txt": "The libraries of CTP and SOPT",
}
QUICK = "not slow and not browser"
# The whole suite runs in two processes, each with servers of its own: these rooms, and all others.
FIRST_HALF = ("accounts", "api", "bootstrap", "browser", "house", "js", "realtime", "scenarios", "trading")


def verify(options: argparse.Namespace, progress: Progress) -> int:
    started = time.monotonic()
    extras.install_browser_libraries(progress, env.home())
    extras.pack_pages(progress, env.home())
    extras.compile_translations(progress)
    selected = ["-m", QUICK] if options.fast else []
    if not options.fast:
        _browser(progress)
        _optional(progress)
    failed = (
        []
        if options.fast
        else [label for label, command in checks() if not _passes(label, command, progress)]
    )
    if not options.fast and _has_holes(progress):
        failed.append("packages with known holes")
    progress.say()
    if not (
        _tests_pass([*selected, *options.tests]) if selected or options.tests else _all_tests_pass(progress)
    ):
        failed.append("tests")
    seconds = time.monotonic() - started
    sys.stdout.flush()
    if failed:
        progress.say(f"  {progress.paint('FAILED', 'red')} after {seconds:.0f} s: {', '.join(failed)}")
        return 1
    progress.say(f"  {progress.paint('Everything holds', 'green')}, {seconds:.0f} s")
    return 0


def _tests_pass(words: Sequence[str]) -> bool:
    return not subprocess.run(_pytest(words), cwd=env.BASE_DIR, check=False).returncode


def _all_tests_pass(progress: Progress) -> bool:
    """Both halves of the suite at once; what the second one says follows when the first has ended."""
    rooms = sorted(path.parent for path in (env.BASE_DIR / "tests").glob("*/__init__.py"))
    first = [str(room.relative_to(env.BASE_DIR)) for room in rooms if room.name in FIRST_HALF]
    second = [str(room.relative_to(env.BASE_DIR)) for room in rooms if room.name not in FIRST_HALF]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        beside = subprocess.Popen(
            _pytest(second), cwd=env.BASE_DIR, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT
        )
        try:
            holds = _tests_pass(first)
            holds = not beside.wait() and holds
        except BaseException:
            beside.terminate()
            raise
        said.seek(0)
        progress.say(said.read().rstrip())
    return holds


def _pytest(words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "pytest", *words]


def checks() -> list[tuple[str, Sequence[str]]]:
    """Each check's label and command; they only read."""
    python = sys.executable
    tool = Path(python).parent
    typed = [room for room in TYPED if (env.BASE_DIR / room).is_dir()]
    return [
        ("Format (ruff)", [python, "-m", "ruff", "format", "--check", "."]),
        ("Lint (ruff)", [python, "-m", "ruff", "check", "."]),
        ("Types (mypy)", [python, "-m", "mypy", *typed]),
        ("Floors (import-linter)", [str(tool / "lint-imports"), "--no-cache"]),
        ("Risky code (bandit)", security.bandit()),
        ("Secrets (detect-secrets)", [python, "-m", "simgame.bootstrap.security"]),
        ("Contract (docs/api)", [python, "manage.py", "api_schema", "--check"]),
        ("Templates (djlint)", [python, "-m", "djlint", "--lint", "--quiet", "templates"]),
    ]


def _passes(label: str, command: Sequence[str], progress: Progress) -> bool:
    """Run one check; show what it said only when it did not pass."""
    try:
        with progress.step(label):
            subprocess.run(
                command,
                cwd=env.BASE_DIR,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=True,
            )
    except subprocess.CalledProcessError as failure:
        progress.say((failure.stdout + failure.stderr).rstrip())
        return False
    return True


def _has_holes(progress: Progress) -> bool:
    """Says them, or why nobody could be asked about them."""
    with progress.step("Packages (pip-audit)"):
        audit = security.packages()
    if audit.why:
        progress.warn(f"Nobody was asked whether the packages have known holes: {audit.why}.")
    for hole in audit.holes:
        progress.say(f"    {hole}")
    return bool(audit.holes)


def _optional(progress: Progress) -> None:
    """What few players need, so that its tests run too: 160 MB, seconds where the index is near."""
    for path, what in OPTIONAL.items():
        try:
            with progress.step(what):
                if complaint := environment.add(env.BASE_DIR / path):
                    raise SetupFailed(complaint)
        except SetupFailed as failed:
            progress.warn(f"{what} could not be installed ({failed}): their tests will be skipped.")


def _browser(progress: Progress) -> None:
    """The browser tests need a real Chromium: say aloud when there is none."""
    if chromium.find() is None and chromium.may_install() and not os.environ.get("SIMGAME_CHROMIUM"):
        with progress.step("Chromium for the browser tests"):
            chromium.install()
    if chromium.find() is None:
        progress.warn("NO CHROMIUM: the browser tests will not run. Install the package chromium.")
