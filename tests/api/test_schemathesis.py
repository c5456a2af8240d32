"""A short run of what `manage.py drill api` does for hours: nothing that the schema does not know."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import httpx

from ops.drills.api_questions import Questions
from simgame import env
from tests.live import LiveGame

PEOPLE = 6  # one asks, the others' sign-ins are used up


def test_no_answer_that_the_schema_does_not_know_and_the_books_balance(
    live_game: LiveGame, tmp_path: Path
) -> None:
    tokens = [
        httpx.post(
            f"{live_game.address}/api/v1/auth/register",
            json={"username": f"asks{uuid.uuid4().hex[:8]}", "password": "correct horse battery"},
            timeout=30,
        ).json()["access"]
        for _ in range(PEOPLE)
    ]
    questions = Questions(tmp_path, live_game.port, tokens)
    assert questions.ask(7, 1, "--workers", "2", phases="fuzzing") == []
    assert questions.asked > 90, "every operation once"
    assert questions.statuses["200"] > 20, questions.statuses
    books = subprocess.run(
        [sys.executable, "manage.py", "reconcile"],
        cwd=env.BASE_DIR,
        env={name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        | {"SIMGAME_HOME": str(live_game.home), "DJANGO_SETTINGS_MODULE": "simgame.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert books.returncode == 0, books.stdout + books.stderr
