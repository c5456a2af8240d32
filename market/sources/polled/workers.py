"""How the feed reaches the workers: one Celery task per request, sent by name.

The feed knows the broker and the task's name only; the application with its timetable is the worker's.
"""

from __future__ import annotations

import msgspec
from kombu.exceptions import OperationalError

from market.sources.polled.dialect import Request
from simgame.kernel.broker import broker

POLL = "market.tasks.poll"
EXPIRES_S = 10  # a quote that was wanted longer ago than this is no news


def send(request: Request, number: int, key: str, per_minute: int) -> None:
    """Blocks for the moment the broker needs. Raises OSError when it is away."""
    arguments = (msgspec.to_builtins(request), number, key, per_minute)
    try:
        broker().send_task(POLL, arguments, expires=EXPIRES_S, retry=False, ignore_result=True)
    except OperationalError as error:
        raise OSError(str(error)) from error
