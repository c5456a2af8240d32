"""The bench of the front door leaves out what it says, and measures what is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from ops.load.cost import ASKS
from simgame import env
from tests.live import GIVEN


@pytest.mark.slow
def test_each_layer_of_the_front_door_can_be_left_out_and_is_measured() -> None:
    few = ["--turns", "1", "--seconds", "0.2", "--connections", "2", "--format", "json"]
    done = subprocess.run(
        [sys.executable, "manage.py", "bench", "cost", *few],
        cwd=env.BASE_DIR,
        env={name: value for name, value in os.environ.items() if name not in GIVEN},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    report = json.loads(done.stdout)
    assert report["proofs"] == {
        "authentication": {"on": {"wrong_secret": 401}, "off": {"wrong_secret": 207}},
        "row-level security": {"on": {"strangers_seen": 0}, "off": {"strangers_seen": 2}},
        "audit": {"on": {"forgets": False}, "off": {"forgets": True}},
    }
    measured = {(row["what"], row["way"]) for row in report["rows"]}
    assert measured == {(what, way) for what, ask in ASKS.items() for way in ask.ways}
    assert all(row["ms"] > 0 and row["cpu_us"] > 0 for row in report["rows"]), report["rows"]


def test_no_game_can_be_served_without_its_front_door() -> None:
    given = {name: value for name, value in os.environ.items() if name not in GIVEN}
    given |= {"DJANGO_SETTINGS_MODULE": "ops.load.cost_settings", "BENCH_WITHOUT": "auth,rows"}
    done = subprocess.run(
        [sys.executable, "-m", "simgame.web", "--port", "1"],
        cwd=env.BASE_DIR,
        env=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "only `bench cost` may use it" in done.stderr
