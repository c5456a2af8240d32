"""Background work: REST sources, nightly reconciliation, ranking. The timetable is `BEAT`."""

from __future__ import annotations

import os
import signal
import warnings
from typing import Any

from celery import Celery
from celery.platforms import SecurityWarning
from celery.schedules import crontab
from celery.signals import beat_embedded_init, setup_logging

from simgame import children

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "simgame.settings")

BEAT: dict[str, dict[str, Any]] = {
    "reconcile the books every night": {
        "task": "trading.tasks.reconcile_books",
        "schedule": crontab(hour=20, minute=0),  # UTC: four in the morning in Shanghai
    },
    "rank the games every minute": {
        "task": "trading.tasks.rank_games",
        "schedule": 60.0,
        "options": {"expires": 55},  # a worker that was away does not catch up on rankings
    },
    "tell luck from skill every quarter of an hour": {
        "task": "trading.tasks.judge_luck",
        "schedule": 900.0,
        "options": {"expires": 600},
    },
    "look at the alerts": {
        "task": "trading.tasks.look_at_alerts",
        "schedule": 5.0,  # for who is away; the page itself looks at every quote
        "options": {"expires": 4},
    },
    "end the games whose time is over": {
        "task": "trading.tasks.end_due_games",
        "schedule": 60.0,
        "options": {"expires": 55},
    },
    "forget answers that are a day old": {
        "task": "accounts.tasks.forget_answers",
        "schedule": crontab(minute=40),
    },
    "thin the equity curves every night": {
        "task": "trading.tasks.thin_curves",
        "schedule": crontab(hour=20, minute=20),
    },
}

# Celery warns root because of pickle; we accept JSON only, and a container may well run as root.
warnings.filterwarnings("ignore", category=SecurityWarning)

WORKER = os.getpid()  # also in what it forks

app = Celery("simgame")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = BEAT
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Django has configured logging; having a receiver keeps Celery from replacing it."""


@beat_embedded_init.connect
def die_with_the_worker(**_: Any) -> None:
    """Beat inside a worker (-B) is a process of its own: a killed worker takes it along, also one
    that was killed before we come here."""
    children.die_with_parent(WORKER, signal.SIGKILL)
