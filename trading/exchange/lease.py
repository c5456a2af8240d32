"""Who may write a world: one row with an epoch, raised by each new holder, checked in each batch.

A holder that slept through a takeover finds another epoch and must end (reliability section 4.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
import structlog
from django.db import connection

log = structlog.get_logger(__name__)
BEAT_S = 1.0
DEAD_AFTER_S = 5.0  # without a beat for this long, the holder counts as gone
FENCED_SQLSTATE = "SG001"  # raised by assert_epoch, see migrations/0002_books.py

ACQUIRE = """
INSERT INTO trading_exchangelease (world_id, epoch, holder, address, beat_at, state, why)
VALUES (%(world)s, 1, %(holder)s, %(address)s, now(), 'recovering', '')
ON CONFLICT (world_id) DO UPDATE SET epoch = trading_exchangelease.epoch + 1, holder = excluded.holder,
    address = excluded.address, beat_at = now(), state = 'recovering', why = ''
RETURNING epoch"""
REACQUIRE = """
UPDATE trading_exchangelease SET epoch = epoch + 1, beat_at = now()
WHERE world_id = %(world)s AND epoch = %(epoch)s RETURNING epoch"""
END_SLEEPER = """
SELECT pg_terminate_backend(held.pid) FROM trading_exchangelease lease
JOIN pg_locks held ON held.locktype = 'transactionid' AND held.transactionid = lease.xmax AND held.granted
WHERE lease.world_id = %s"""

Connection = psycopg.Connection[tuple[Any, ...]]


class Fenced(Exception):
    """Another exchange took the world over: nothing more may be written by this one."""


@dataclass
class Lease:
    world: int
    epoch: int

    @classmethod
    def acquire(cls, wire: Connection, world: int, holder: str, address: str) -> Lease:
        """Take the world over. Waits for a transaction of the former holder that is under way; raises
        psycopg.errors.LockNotAvailable when that does not end: see `end_sleeper`."""
        values = {"world": world, "holder": holder[:120], "address": address}
        row = wire.execute(ACQUIRE, values).fetchone()
        assert row is not None
        return cls(world, row[0])

    def reacquire(self, wire: Connection) -> None:
        """After our connection broke: wait out what it may still be doing, under a new epoch.

        Raises Fenced when another exchange came in between.
        """
        row = wire.execute(REACQUIRE, {"world": self.world, "epoch": self.epoch}).fetchone()
        if row is None:
            raise Fenced(f"the lease of world {self.world} left epoch {self.epoch}")
        self.epoch = row[0]


def end_sleeper(world: int) -> None:
    """End the session that keeps the lease locked: a holder that was stopped while it sent a batch would
    keep it for as long as it sleeps, and no time-out of the server counts that. With the login's own role."""
    with connection.cursor() as cursor:
        cursor.execute(END_SLEEPER, [world])
        log.warning("sleeping_writer_ended", world=world, sessions=cursor.rowcount)
