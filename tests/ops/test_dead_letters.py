"""Work that failed in the background lies on a list until somebody decides."""

from __future__ import annotations

import csv
import io
import json
from queue import Empty
from typing import Any

import pytest
from celery import shared_task
from django.test import Client

from accounts import exports
from accounts.models import AuditEntry, Player
from ops import tasks
from ops.models import DeadLetter
from simgame.kernel.broker import broker

LOADED = tasks  # a worker does
LETTERS = "/admin/ops/deadletter/"
PAYLOAD = "=cmd|' /C calc'!A0"


@shared_task
def weigh(what: str) -> None:
    raise ValueError(f"{what} cannot be weighed")


@pytest.fixture
def carol(db: None) -> Client:
    client = Client()
    client.force_login(Player.objects.create(username="carol", is_staff=True, is_superuser=True))
    return client


def test_carol_tries_again_what_failed(carol: Client) -> None:
    for _ in range(3):
        weigh.apply(("a feather",))
    weigh.apply(("smoke",))
    first, second = DeadLetter.objects.order_by("id")
    assert (first.task, first.args, first.times) == (weigh.name, ["a feather"], 3)
    assert first.error == "ValueError: a feather cannot be weighed"
    assert "weigh" in first.traceback

    chosen = {"action": "retry", "_selected_action": first.pk}
    with broker().connection_for_read() as link:
        waiting = link.SimpleQueue(broker().conf.task_default_queue)
        waiting.clear()
        assert b"Try again?" in carol.post(LETTERS, chosen).content
        with pytest.raises(Empty):  # it asks first
            waiting.get_nowait()
        for _ in range(2):  # the second time it is settled already
            carol.post(LETTERS, chosen | {"sure": "yes"})
        sent = waiting.get_nowait()
        with pytest.raises(Empty):
            waiting.get_nowait()
    assert (sent.headers["task"], sent.payload[:2]) == (weigh.name, [["a feather"], {}])
    carol.post(LETTERS, {"action": "set_aside", "_selected_action": second.pk, "sure": "yes"})
    states = DeadLetter.objects.order_by("id").values_list("state", "settled_by__username")
    assert list(states) == [("retried", "carol"), ("set aside", "carol")]
    assert {"task.retried", "task.set_aside"} <= set(AuditEntry.objects.values_list("action", flat=True))

    weigh.apply(("a feather",))
    assert DeadLetter.objects.filter(state="open").count() == 1, "it failed again: a letter of its own"
    assert carol.get(LETTERS, {"q": "feather", "state": "open"}).status_code == 200


def test_who_may_only_look_decides_nothing(carol: Client) -> None:
    weigh.apply((PAYLOAD,))
    letter = DeadLetter.objects.get()
    helper = Client()
    helper.force_login(Player.objects.create(username="helper", is_staff=True))
    answer = helper.post(LETTERS, {"action": "retry", "_selected_action": letter.pk, "sure": "yes"})
    assert answer.status_code == 403
    letter.refresh_from_db()
    assert letter.state == "open"


def test_what_a_player_wrote_is_no_formula_in_a_spreadsheet(carol: Client) -> None:
    mallory = Player.objects.create(username=PAYLOAD, email="-5")
    page, chosen = "/admin/accounts/player/", {"_selected_action": mallory.pk}
    answer = carol.post(page, {"action": "export_csv", **chosen})
    assert answer["Content-Disposition"] == 'attachment; filename="player.csv"'
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["username"], row["email"], row["password"]) == (f"'{PAYLOAD}", "-5", "")
    answer = carol.post(page, {"action": "export_json", **chosen})
    (said,) = json.loads(b"".join(answer.streaming_content))  # type: ignore[attr-defined]
    assert said["username"] == PAYLOAD
    acts = AuditEntry.objects.filter(action="admin.action").order_by("id")
    assert [act.facts["name"] for act in acts] == ["export_csv", "export_json"]


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\t=1", "  =1", "＝1", "\r=1"])
def test_no_cell_begins_like_a_formula(text: str) -> None:
    assert exports.cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["-12.50", "Alice", "a=b", "", 7])
def test_numbers_and_words_stay_as_they_are(text: Any) -> None:
    assert exports.cell(text) == str(text)
