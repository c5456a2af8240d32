"""The database made ready for a world: migrations, then the seed. A process of its own, in `.venv`.

Kept apart so that the supervisor, which lives as long as the game, never loads Django.
"""

from __future__ import annotations

import argparse
import io
import sys

import django
import psycopg
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError

from .progress import Progress

CONNECT_TIMEOUT_S = 3


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--world", required=True)
    world = parser.parse_args().world
    django.setup()
    progress = Progress()
    try:
        with progress.step("Database"):
            call_command("migrate", verbosity=0, interactive=False)
        with progress.step(f"World {world}"):
            call_command("seed", world=world, stdout=io.StringIO())  # our own line says it
    except CommandError as refusal:
        progress.say(f"  {refusal}")
        return 1
    except OperationalError as error:
        progress.say(f"  PostgreSQL cannot be used: {why_not(error)}")
        return 1
    return 0


def why_not(error: Exception) -> str:
    """One line without a password. The pool says only that it waited; a connection of its own says why."""
    try:
        psycopg.connect(settings.DATABASE_URL, connect_timeout=CONNECT_TIMEOUT_S).close()
    except psycopg.Error as reason:
        error = reason
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


if __name__ == "__main__":
    sys.exit(main())
