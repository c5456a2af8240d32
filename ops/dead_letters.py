"""Background work that failed is kept, until a person tries it again or sets it aside.

Celery says so once a task has failed for good, that is after its own retries. Whatever a task does is
idempotent, so trying again is safe.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

import structlog
from django.db import connection, transaction
from kombu.exceptions import OperationalError

from accounts import audit
from ops.models import DeadLetter
from simgame.kernel import clock
from simgame.kernel.broker import broker
from simgame.kernel.errors import Unavailable

log = structlog.get_logger(__name__)
ERROR_CHARS: Final = 500
TRACEBACK_CHARS: Final = 8_000
KEEP: Final = """
INSERT INTO ops_deadletter
  (task, args, kwargs, fingerprint, error, traceback, times, first_at, last_at, state)
VALUES (%(task)s, %(args)s, %(kwargs)s, %(fingerprint)s, %(error)s, %(traceback)s,
        1, %(now)s, %(now)s, 'open')
ON CONFLICT (fingerprint) WHERE state = 'open' DO UPDATE
SET times = ops_deadletter.times + 1, last_at = excluded.last_at, error = excluded.error,
    traceback = excluded.traceback"""


def keep(
    sender: Any = None, exception: Any = None, args: Any = (), kwargs: Any = None, einfo: Any = None, **_: Any
) -> None:
    """Celery's task_failure. What cannot be written down is in the log, at least."""
    task = str(getattr(sender, "name", sender))
    given = json.dumps([list(args or ()), dict(kwargs or {})], default=str, sort_keys=True)
    positional, named = json.loads(given)
    row = {
        "task": task,
        "args": json.dumps(positional),
        "kwargs": json.dumps(named),
        "fingerprint": hashlib.sha256(f"{task} {given}".encode()).hexdigest(),
        "error": f"{type(exception).__name__}: {exception}"[:ERROR_CHARS].replace("\x00", "?"),
        "traceback": str(einfo or "")[-TRACEBACK_CHARS:].replace("\x00", "?"),
        "now": clock.now(),
    }
    try:
        with connection.cursor() as cursor:
            cursor.execute(KEEP, row)
    except Exception as error:  # noqa: BLE001  the database may be what failed
        log.error("dead_letter_lost", task=task, args=positional, why=str(error))


def retry(letter_id: int, by: int) -> None:
    """Send the work again. Raises Unavailable when nobody takes it; the letter stays open then."""
    with transaction.atomic():
        letter = DeadLetter.objects.select_for_update(of=["self"]).get(pk=letter_id)
        if letter.state != DeadLetter.State.OPEN:
            return
        _settle(letter, DeadLetter.State.RETRIED, by)
        try:
            broker().send_task(letter.task, letter.args, letter.kwargs, retry=False)
        except OperationalError as error:
            raise Unavailable(f"The broker does not take work just now: {error}.") from error


def set_aside(letter_id: int, by: int) -> None:
    with transaction.atomic():
        letter = DeadLetter.objects.select_for_update(of=["self"]).get(pk=letter_id)
        if letter.state == DeadLetter.State.OPEN:
            _settle(letter, DeadLetter.State.SET_ASIDE, by)


def _settle(letter: DeadLetter, state: str, by: int) -> None:
    letter.state, letter.settled_at, letter.settled_by_id = state, clock.now(), by
    letter.save(update_fields=["state", "settled_at", "settled_by"])
    audit.record(by, f"task.{state.replace(' ', '_')}", f"{letter.task} {letter.pk}", args=letter.args)
