"""The database made ready for a world: migrations, then the seed. A process of its own, in `.venv`.

Kept apart so that the supervisor, which lives as long as the game, never loads Django.
"""

from __future__ import annotations

import argparse
import io
import sys

import django
from django.core.management import CommandError, call_command
from django.db import OperationalError

from .progress import Progress


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
        progress.say(f"  PostgreSQL cannot be used: {str(error).strip().splitlines()[0]}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
