"""`Idempotency-Key`: the same request again has one effect and one answer.

Key, effect and answer are one transaction. Who comes second waits for the first at the unique index: then
there is either an answer to give again, or nothing happened and the second is the first.
draft-ietf-httpapi-idempotency-key-header
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Final, NamedTuple

from django.db import connection, transaction

from accounts.errors import KeyForAnotherRequest
from accounts.models import FirstAnswer
from simgame.kernel import clock
from simgame.kernel.errors import Invalid

KEPT: Final = timedelta(days=1)
KEY_CHARS_MAX: Final = 255
CLAIM: Final = """INSERT INTO accounts_firstanswer (player_id, key, fingerprint, status, body, etag, at)
VALUES (%s, %s, %s, 0, '', '', %s) ON CONFLICT (player_id, key) DO NOTHING"""


class Said(NamedTuple):
    status: int
    body: str
    etag: str
    replayed: bool = False


def key_of(header: str) -> str:
    """The key in the header's value, a structured string or a plain one. Raises Invalid."""
    key = header.strip().strip('"')
    if not 0 < len(key) <= KEY_CHARS_MAX or not (key.isascii() and key.isprintable()):
        raise Invalid(
            f"Idempotency-Key: 1 to {KEY_CHARS_MAX} printable ASCII characters.", pointer="/Idempotency-Key"
        )
    return key


def fingerprint(*parts: object) -> str:
    """The same for the same request: method, path, portfolio, body as JSON values."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def once(player_id: int, key: str, request: str, act: Callable[[], Said]) -> Said:
    """What `act` says, or what it said before. A refusal is not kept: the next attempt is a new one.

    Raises KeyForAnotherRequest when the key came with another request, and whatever `act` raises.
    """
    mine = FirstAnswer.objects.filter(player_id=player_id, key=key)
    with transaction.atomic():
        mine.filter(at__lt=clock.now() - KEPT).delete()
        with connection.cursor() as cursor:
            cursor.execute(CLAIM, [player_id, key, request, clock.now()])
            first = cursor.rowcount == 1
        if first:
            said = act()
            mine.update(status=said.status, body=said.body, etag=said.etag)
            return said
    row = mine.get()
    if row.fingerprint != request:
        raise KeyForAnotherRequest
    return Said(row.status, row.body, row.etag, replayed=True)


def forget() -> int:
    """Answers that are older than a day; returns how many went. Idempotent."""
    return FirstAnswer.objects.filter(at__lt=clock.now() - KEPT).delete()[0]
