"""Is the audit trail whole? Every entry's hash computed again, every link followed, up to the head.

hash = SHA-256(hash of the entry before ‖ CONTENT as UTF-8); before the first entry stands GENESIS. The
expression is repeated here on purpose: a function in the database could have been replaced. What the chain
cannot show by itself is that somebody who owns the database made all of it anew; a head that was noted
elsewhere (an anchor) shows it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from django.db import connection

GENESIS: Final = hashlib.sha256(b"").digest()
PORTION: Final = 5_000  # entries read at a time: about 5 MB
CONTENT: Final = """jsonb_build_array(id, (extract(epoch FROM at) * 1000000)::bigint, actor_id,
    impersonator_id, action, subject, facts, before, after, host(address), agent)::text"""

_HEAD = "SELECT last, hash FROM accounts_audithead"
_ENTRIES = f"""SELECT id, previous, hash, {CONTENT} FROM accounts_auditentry
                WHERE id > %s ORDER BY id LIMIT {PORTION}"""


@dataclass(frozen=True)
class Anchor:
    """What an entry's hash was when somebody noted it."""

    id: int
    hash: str


@dataclass(frozen=True)
class Verdict:
    entries: int
    head: Anchor
    broken_at: int | None = None  # the first entry that does not hold
    what: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {"whole": self.broken_at is None, **asdict(self)}


@dataclass
class _Reading:
    seen: int = 0  # id of the last entry that held
    hash: bytes = GENESIS
    count: int = 0
    broken_at: int | None = None
    what: str = ""

    def follow(self, row: tuple[int, Any, Any, str], anchors: dict[int, str]) -> bool:
        """Does this entry continue the chain?"""
        number, previous, stored, content = row[0], bytes(row[1]), bytes(row[2]), row[3]
        computed = hashlib.sha256(previous + content.encode()).digest()
        if previous != self.hash:
            return self._broken(number, "an entry was removed, inserted or moved in front of it")
        if computed != stored:
            return self._broken(number, "it was changed after it was written")
        if anchors.get(number, stored.hex()) != stored.hex():
            return self._broken(number, "the chain was made anew: its hash is not the one that was noted")
        self.seen, self.hash, self.count = number, stored, self.count + 1
        return True

    def _broken(self, number: int, what: str) -> bool:
        self.broken_at, self.what = number, what
        return False


def verify(
    anchors: tuple[Anchor, ...] = (), progress: Callable[[int, int], None] = lambda *_: None
) -> Verdict:
    """Reads beside writers. `progress(read, last)` after each portion."""
    noted = {anchor.id: anchor.hash for anchor in anchors}
    reading = _Reading()
    while True:
        last, head = _head()  # before the entries: an entry and its head are committed together
        if not (rows := _entries_after(reading.seen)):
            break
        if not all(reading.follow(row, noted) for row in rows):
            return _verdict(reading)
        progress(reading.seen, max(last, reading.seen))
    if (last, head) != (reading.seen, reading.hash):
        reading.broken_at, reading.what = reading.seen + 1, f"entries up to {last} were removed at the end"
    elif missing := [number for number in noted if number > reading.seen]:
        reading.broken_at, reading.what = min(missing), "it was noted as written and is not there"
    return _verdict(reading)


def _verdict(reading: _Reading) -> Verdict:
    return Verdict(reading.count, Anchor(reading.seen, reading.hash.hex()), reading.broken_at, reading.what)


def _head() -> tuple[int, bytes]:
    with connection.cursor() as cursor:
        cursor.execute(_HEAD)
        row = cursor.fetchone()
    return (row[0], bytes(row[1])) if row else (0, GENESIS)


def _entries_after(number: int) -> list[tuple[int, Any, Any, str]]:
    with connection.cursor() as cursor:
        cursor.execute(_ENTRIES, [number])
        return cursor.fetchall()
