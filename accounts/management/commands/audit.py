"""`manage.py audit verify`: is the record of who did what still whole?"""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import Any

from django.core.management.base import CommandParser

from accounts import chain
from accounts.chain import Anchor, Verdict
from simgame.kernel.teaching import TeachingCommand

ANCHOR = re.compile(r"(\d{1,18}):([0-9a-f]{64})")
ABOUT = """Proves that no entry of the audit trail was changed, removed or inserted.

  manage.py audit verify
  manage.py audit verify --format json
  manage.py audit verify --anchor 4711:9f86d0…         the head, as it was noted elsewhere earlier

Every entry carries the hash of the one before and of itself. Note the head that is printed (id:hash) where
the owner of the database cannot write: with it even a chain that was made anew is found out.

Exit codes: 0 whole, 1 broken (the first entry that does not hold is named), 2 wrong usage.
"""


def _anchor(text: str) -> Anchor:
    found = ANCHOR.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no anchor: say id:hash as `audit verify` prints it.")
    return Anchor(int(found[1]), found[2])


class Command(TeachingCommand):
    requires_system_checks: list[str] = []
    help = ABOUT

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("verb", choices=["verify"])
        parser.add_argument("--anchor", action="append", type=_anchor, default=[], metavar="ID:HASH")
        parser.add_argument("--format", dest="form", choices=["table", "json"], default="table")

    def handle(self, *, anchor: list[Anchor], form: str, **options: Any) -> None:
        verdict = chain.verify(tuple(anchor), self._progress)
        if self.stderr.isatty():
            self.stderr.write("\r", ending="")
        self.stdout.write(json.dumps(verdict.as_dict(), indent=2) if form == "json" else _told(verdict))
        if verdict.broken_at is not None:
            sys.exit(1)

    def _progress(self, read: int, last: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r  {read:,} of {last:,} entries", ending="")


def _told(verdict: Verdict) -> str:
    held = f"{verdict.entries:,} entries hold, up to {verdict.head.id}:{verdict.head.hash}"
    if verdict.broken_at is None:
        return f"The audit trail is whole: {held}"
    return f"BROKEN at entry {verdict.broken_at}: {verdict.what}.\n{held}"
