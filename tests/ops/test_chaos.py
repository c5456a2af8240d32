"""The drill that breaks everything: its schedule, a judge that sees what was planted, and one short run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from ops.chaos import faults, schedule
from ops.chaos.acklog import NAME, Answer, Wish, Writer
from ops.chaos.judge import Judge
from tests.exchange import street
from tests.exchange.conftest import exchange, feed, world  # noqa: F401  the same small street
from trading.exchange.client import ask_sync
from trading.models import Order

NOT_OURS = ("DATABASE_URL", "REDIS_URL")
FOUR = "fp5_before_ack,paused-writer,postgres-killed,commit-answer-lost"


def test_a_seed_repeats_its_schedule_and_every_fault_comes_before_any_comes_again():
    names = list(faults.FAULTS)
    made = schedule.steps(3 * len(names), 7, names)
    assert made == schedule.steps(3 * len(names), 7, names)
    assert sorted(step.fault for step in made[: len(names)]) == sorted(names)
    assert [step.chance.random() for step in made] == [step.chance.random() for step in made]
    assert made != schedule.steps(3 * len(names), 8, names)


def test_a_fault_that_there_is_not_is_refused_with_those_there_are():
    with pytest.raises(CommandError, match=r"no fault .earthquake.: .*kill-exchange"):
        call_command("chaos", "exchange", "--faults", "kills,earthquake")


class Diary:
    """What Bob wrote down, true or not."""

    def __init__(self, folder: Path):
        self.folder, self.count = folder, 0
        self.writer = Writer(folder / NAME.format(0))

    def write(self, portfolio: int, key: str, *answers: dict[str, Any]) -> None:
        self.count += 1
        self.writer.write(Wish(self.count, 1, portfolio, "new_order", key, "POST", "/v2/orders", {}))
        for answer in answers:
            self.writer.write(Answer(self.count, 1, 2, **answer))


@pytest.fixture
def bob(exchange, world, transactional_db):  # noqa: F811
    return street.open_portfolio(world, "bob")


@pytest.fixture
def diary(tmp_path):
    return Diary(tmp_path)


def kinds(world, diary, portfolio) -> list[str]:  # noqa: F811
    return sorted(finding.kind for finding in Judge(world, diary.folder, [portfolio], []).judge())


@pytest.mark.django_db(transaction=True)
class TestTheJudge:
    def placed(self, world, portfolio, key):  # noqa: F811
        """An order, and its answer as the web worker would have given it."""
        reply = ask_sync(world.number, street.new_order(portfolio, key))
        return {"status": 200, "body": json.loads(reply.shown)}

    def test_it_finds_nothing_in_a_true_diary(self, world, bob, diary):  # noqa: F811
        undecided = {"status": 504, "body": {"outcome": "unknown"}}
        diary.write(bob.id, "true", undecided, self.placed(world, bob.id, "true") | {"replayed": True})
        assert kinds(world, diary, bob.id) == []

    def test_it_finds_an_ack_that_is_lost(self, world, bob, diary):  # noqa: F811
        answer = self.placed(world, bob.id, "there")
        diary.write(bob.id, "there", answer)
        diary.write(bob.id, "gone", answer)
        assert kinds(world, diary, bob.id) == ["lost"]

    def test_it_finds_an_answer_that_was_changed(self, world, bob, diary):  # noqa: F811
        answer = self.placed(world, bob.id, "changed")
        diary.write(bob.id, "changed", answer | {"body": answer["body"] | {"limit_price": "8.99"}})
        assert kinds(world, diary, bob.id) == ["changed"]

    def test_it_finds_an_order_that_nobody_asked_for(self, world, bob, diary):  # noqa: F811
        diary.write(bob.id, "asked", self.placed(world, bob.id, "asked"))
        self.placed(world, bob.id, "ghost")
        assert kinds(world, diary, bob.id) == ["doubled"]

    def test_it_finds_a_not_executed_that_was_executed(self, world, bob, diary):  # noqa: F811
        lie = {"status": 503, "body": {"outcome": "not_executed"}}
        diary.write(bob.id, "lied", lie, self.placed(world, bob.id, "lied") | {"replayed": True})
        assert kinds(world, diary, bob.id) == ["lied"]

    def test_it_finds_rows_that_the_exchange_did_not_write(self, world, bob, diary):  # noqa: F811
        diary.write(bob.id, "bent", self.placed(world, bob.id, "bent"))
        Order.objects.update(version=7)
        assert "hash" in kinds(world, diary, bob.id)


@pytest.mark.slow
def test_a_short_drill_finds_nothing(tmp_path):
    """A kill with the commit done, a paused writer, a killed PostgreSQL, a lost COMMIT answer."""
    home = tmp_path / "drill"
    given = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    words = ["chaos", "exchange", "--faults", FOUR, "--cycles", "4", "--seed", "5", "--format", "json"]
    done = subprocess.run(
        [sys.executable, "manage.py", *words, "--home", str(home)],
        cwd=settings.BASE_DIR,
        env={**given, "DJANGO_SETTINGS_MODULE": "simgame.settings"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-2_000:]
    report = json.loads(done.stdout)
    assert report["cycles"] == 4
    assert report["acked"] > 150
    assert report["fenced"] >= 3  # the armed one's former, the sleeper, and around the proxy
    assert (report["lost"], report["changed"], report["doubled"], report["lied"]) == (0, 0, 0, 0)
    assert report["findings"] == []
    assert not home.exists()  # nothing was found: nothing is kept
