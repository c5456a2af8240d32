"""How a process that is no worker hands work to the workers: by the task's name, through the broker.

The application with its timetable is the workers' own (`simgame.celery`).
"""

from __future__ import annotations

from functools import lru_cache

from celery import Celery


@lru_cache(1)
def broker() -> Celery:
    """Keeps no results. `send_task(…, retry=False)` raises kombu's OperationalError when nobody listens."""
    producer = Celery("producer", set_as_current=False)
    producer.config_from_object("django.conf:settings", namespace="CELERY")
    producer.conf.task_ignore_result = True
    return producer
