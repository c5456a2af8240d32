"""`manage.py void_tokens`: everybody signs in again; for the time after a restore."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser

from accounts import keys, tokens
from simgame.kernel.teaching import TeachingCommand

ABOUT = """Ends every browser session and makes every access and refresh token void.

  manage.py void_tokens --reason "Restored from the backup of 02:00"
  manage.py void_tokens --reason "…" --keys          API keys too: one that was revoked since works again

Run it after a restore, before the web server: a backup brings back sessions that were ended, tokens that were
used up and keys that were revoked since it was made. Recorded in the audit trail.

Exit codes: 0 done, 2 wrong usage.
"""


class Command(TeachingCommand):
    requires_system_checks: list[str] = []
    help = ABOUT

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", required=True, help="why; for the audit trail")
        parser.add_argument("--keys", action="store_true", help="revoke every API key too")
        parser.add_argument("--format", dest="form", choices=["table", "json"], default="table")

    def handle(self, *, reason: str, form: str, **options: Any) -> None:
        told = tokens.void_all(reason)
        if options["keys"]:
            told["keys"] = keys.revoke_everybodys(reason)
        shown = ", ".join(f"{number:,} {name}" for name, number in told.items())
        self.stdout.write(json.dumps(told) if form == "json" else f"Void: {shown}.")
