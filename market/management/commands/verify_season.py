"""Recomputes every tick of a season whose seed is revealed."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

import msgspec
from django.core.management.base import CommandError

from market import season, verification, worlds
from simgame.kernel.errors import SimGameError
from simgame.kernel.teaching import TeachingCommand

EXIT_FOUND = 3


class Command(TeachingCommand):
    help = (
        "Recomputes every tick of a sealed season from its seed and its logged events (what players took,\n"
        "scenarios, days), and compares: the seal with the hash that was published, the ticks with the\n"
        "marks of every hour, and one by one with the write-ahead log as far back as it is kept.\n\n"
        "  manage.py verify_season autumn-2026\n"
        "  manage.py verify_season autumn-2026 --commitment 3f5a…   the hash that you wrote down yourself\n\n"
        "A day around the clock takes a few minutes of one core. Exit codes: 0 every tick fits, 1 not yet\n"
        "revealed or no such season, 2 wrong usage, 3 something does not fit."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("world", help="slug of the season's world")
        parser.add_argument("--commitment", default="", help="the published hash (default: the stored one)")
        parser.add_argument("--format", choices=["table", "json"], default="table")

    def handle(self, *, world: str, commitment: str, format: str, **_: Any) -> None:
        try:
            found = season.of(worlds.named(world))
            verified = verification.verify(found, commitment, self._progress)
        except SimGameError as error:
            raise CommandError(f"{error.code}: {error.detail}", returncode=1) from error
        facts = msgspec.to_builtins(verified)
        self.stdout.write(json.dumps(facts) if format == "json" else _words(verified))
        if verified.findings:
            sys.exit(EXIT_FOUND)

    def _progress(self, done: int, of_all: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{done:,} of {of_all:,} steps", ending="")


def _words(verified: verification.Verified) -> str:
    lines = [f"DOES NOT FIT: {finding}" for finding in verified.findings]
    lines += [f"note: {note}" for note in verified.notes]
    lines.append(
        f"{verified.ticks:,} ticks of {verified.steps:,} steps and {verified.events:,} events recomputed;"
        f" {verified.marks} marks, {verified.compared:,} single ticks compared:"
        f" {'every one fits' if not verified.findings else 'see above'}."
    )
    return "\n".join(lines)
