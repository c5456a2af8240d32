"""What `manage.py` does with its words: `play` and `verify` here, everything else is Django's."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from simgame import env

from . import environment, extras, memory, play, verify
from .progress import Progress, SetupFailed

SERVERS = ("daphne", "uvicorn")
LIVES_ON_LARGE_PAGES = ("run_feed",)  # where they were seen to help
NO_DATABASE = "It runs while `manage.py play` runs; another one is used when DATABASE_URL names it."
HELP = """SimGame

  python3 manage.py play      get what is missing, start everything, open the game
  python3 manage.py verify    get what is missing, check the code, run all tests
  python3 manage.py setup     get what is missing, nothing more

Each explains its options with --help. Django's commands follow.
"""


def setup(options: argparse.Namespace, progress: Progress) -> int:
    complete = extras.install_browser_libraries(progress, env.home())
    extras.pack_pages(progress, env.home())
    extras.compile_translations(progress)
    return 0 if complete else 1


OURS = {"play": play.play, "verify": verify.verify, "setup": setup}


def main(words: Sequence[str]) -> int:
    command = words[0] if words else "help"
    progress = Progress()
    try:
        options = _parsed(command, words[1:]) if command in OURS else None
        _keep_bytecode()
        environment.prepare(progress)
        if not environment.is_inside():
            _again_inside(words)
        if options is not None:
            return OURS[command](options, progress)
        return _django(words)
    except SetupFailed as failure:
        progress.say(f"  {failure}")
        return 1
    except KeyboardInterrupt:
        progress.say()
        return 130


def _keep_bytecode() -> None:
    """For this process too: whatever it starts is told by the environment."""
    env.keep_bytecode(os.environ, env.home())
    if folder := os.environ.get("PYTHONPYCACHEPREFIX"):
        sys.pycache_prefix, sys.dont_write_bytecode = folder, False


def _again_inside(words: Sequence[str]) -> None:
    python = str(environment.python())
    sys.stdout.flush()
    os.execv(python, [python, sys.argv[0], *words])


def _django(words: Sequence[str]) -> int:
    if not words or words[0] in {"help", "-h", "--help"}:
        print(HELP)
    if words and words[0] in LIVES_ON_LARGE_PAGES and not {"-h", "--help"} & set(words):
        memory.again_on_large_pages([sys.argv[0], *words])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "simgame.settings")
    django = importlib.import_module("django.db")
    try:
        importlib.import_module("django.core.management").execute_from_command_line([sys.argv[0], *words])
    except django.OperationalError as error:
        reason = importlib.import_module("simgame.bootstrap.data").why_not(error)
        raise SetupFailed(f"PostgreSQL cannot be used: {reason}\n  {NO_DATABASE}") from error
    return 0


def _parsed(command: str, words: Sequence[str]) -> argparse.Namespace:
    return {"play": play_parser, "verify": verify_parser, "setup": setup_parser}[command]().parse_args(words)


def play_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="manage.py play", description="Play SimGame on this machine.")
    parser.add_argument("--port", type=_port, help="default: 8000, or the next free one")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: this machine only)"
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open the page")
    parser.add_argument(
        "--world", default="seeded", help="seeded, or replay:PATH of a recording (default: seeded)"
    )
    parser.add_argument("--server", choices=SERVERS, default="daphne", help="web server (default: daphne)")
    parser.add_argument(
        "--reset", action="store_true", help="begin anew: delete this checkout's games and players"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before --reset")
    return parser


def verify_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="manage.py verify", description="Check the code and run all tests.")
    parser.add_argument(
        "--fast", action="store_true", help="tests only, without the slow and the browser ones"
    )
    parser.add_argument("tests", nargs="*", metavar="-- PYTEST", help="arguments for pytest, after --")
    return parser


def setup_parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="manage.py setup",
        description="Get what the game needs: Python packages, browser libraries, translations.",
    )


def _port(text: str) -> int:
    if text.isdigit() and 1 <= int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port: use a whole number from 1 to 65535")
