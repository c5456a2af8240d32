"""`manage.py rotate_keys`: a new key signs tokens from now on; nobody is signed out."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from accounts import audit, signing
from accounts.models import RefreshToken
from simgame.kernel import clock
from simgame.kernel.teaching import TeachingCommand

ABOUT = """Makes the next RSA key that signs access and refresh tokens (RS256).

  manage.py rotate_keys                  a new key; running processes sign with it 15 seconds later
  manage.py rotate_keys --retire         removes keys that no living token was signed with; makes none

Tokens of the older keys are good until they expire. Keys are files in <home>/keys/jwt: every web process
must see the same folder.

Exit codes: 0 done, 2 wrong usage.
"""


class Command(TeachingCommand):
    requires_system_checks: list[str] = []
    help = ABOUT

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--retire", action="store_true", help="remove what is needed no more")
        parser.add_argument("--format", dest="form", choices=["table", "json"], default="table")

    def handle(self, *, retire: bool, form: str, **options: Any) -> None:
        changed = _retire() if retire else [signing.rotate(settings.JWT_KEY_DIR)]
        kids = [key.kid for key in changed]
        audit.record(None, "keys.retire" if retire else "keys.rotate", " ".join(kids))
        remaining = [
            {"kid": key.kid, "number": key.number} for key in signing.Keyring(settings.JWT_KEY_DIR).all()
        ]
        told = {"removed" if retire else "made": kids, "keys": remaining}
        self.stdout.write(json.dumps(told, indent=2) if form == "json" else _told(told))


def _retire() -> list[signing.SigningKey]:
    living = RefreshToken.objects.filter(expires_at__gt=clock.now())
    return signing.retire(settings.JWT_KEY_DIR, set(living.values_list("kid", flat=True).distinct()))


def _told(told: dict[str, Any]) -> str:
    verb = "made" if "made" in told else "removed"
    keys = ", ".join(f"{key['number']:04} {key['kid']}" for key in told["keys"])
    return f"{verb}: {' '.join(told[verb]) or 'none'}\nkeys that verify, the last one signs: {keys}"
