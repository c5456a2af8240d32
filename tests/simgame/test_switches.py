"""Operators turn switches while everything runs."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from accounts.models import Player
from simgame.kernel import clock
from simgame.switches import runtime
from simgame.switches.errors import BadSwitchValue, UnknownSwitch
from simgame.switches.models import Switch, SwitchChange

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh() -> None:
    runtime.forget()


def switch(*words: str) -> str:
    out = StringIO()
    call_command("switch", *words, stdout=out)
    runtime.forget()
    return out.getvalue()


def test_a_switch_has_its_default_until_somebody_turns_it() -> None:
    assert runtime.get("trading.accept_orders") is True
    switch("set", "trading.accept_orders", "false")
    assert runtime.get("trading.accept_orders") is False
    switch("clear", "trading.accept_orders")
    switch("clear", "trading.accept_orders")
    assert runtime.get("trading.accept_orders") is True
    changes = SwitchChange.objects.order_by("id").values_list("old", "new", "by")
    assert list(changes) == [(None, False, "command"), (False, None, "command")]


def test_another_process_sees_it_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    assert runtime.get("accounts.registration_open") is True
    Switch.objects.create(key="accounts.registration_open", value=False)  # as another process would
    assert runtime.get("accounts.registration_open") is True
    later = clock.monotonic_s() + runtime.FRESH_S
    monkeypatch.setattr(clock, "monotonic_s", lambda: later)
    assert runtime.get("accounts.registration_open") is False


def test_who_may_not_wait_takes_what_is_known_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert runtime.known("trading.accept_orders") is None  # nobody has asked yet
    runtime.get("trading.accept_orders")
    assert runtime.known("trading.accept_orders") is True
    later = clock.monotonic_s() + runtime.FRESH_S
    monkeypatch.setattr(clock, "monotonic_s", lambda: later)
    assert runtime.known("trading.accept_orders") is None
    with pytest.raises(UnknownSwitch):
        runtime.get("trading.acept_orders")


def test_the_list_tells_meaning_and_default() -> None:
    switch("set", "trading.order_rate", "250")
    rows = {row["key"]: row for row in json.loads(switch("--format", "json", "list"))}
    assert rows["trading.order_rate"]["value"] == 250
    assert rows["trading.order_rate"]["default"] == 0
    assert all(row["meaning"] for row in rows.values())
    assert "accounts.registration_open = true" in switch("list")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("trading.accept_orders", "1"),
        ("trading.accept_orders", "no"),
        ("trading.accept_orders", "null"),
        ("trading.order_rate", "true"),
        ("trading.order_rate", "-1"),
        ("trading.order_rate", "1e9"),
        ("trading.order_rate", "[1]"),
        ("no.such", "true"),
    ],
)
def test_it_refuses_what_no_switch_can_be(key: str, value: str) -> None:
    with pytest.raises(CommandError) as refusal:
        switch("set", key, value)
    assert refusal.value.returncode == 2
    assert key in str(refusal.value)
    assert not Switch.objects.exists()


def test_the_code_is_refused_a_switch_that_does_not_exist() -> None:
    for attempt in (lambda: runtime.get("x"), lambda: runtime.clear("x", "me")):
        with pytest.raises(UnknownSwitch):
            attempt()
    with pytest.raises(BadSwitchValue):
        runtime.set_value("accounts.registration_open", "yes", "me")


def test_a_row_of_another_version_counts_as_not_set() -> None:
    Switch.objects.create(key="accounts.registration_open", value="sometimes")
    Switch.objects.create(key="gone.long_ago", value=1)
    assert runtime.get("accounts.registration_open") is True


def test_the_history_cannot_be_changed() -> None:
    switch("set", "accounts.registration_open", "true")
    for sql in ("UPDATE switches_switchchange SET by = ''", "DELETE FROM switches_switchchange"):
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            connection.cursor().execute(sql)


def test_an_admin_turns_it_on_a_page_and_is_named(admin_client, admin_user: Player) -> None:
    page = "/admin/switches/switch/"
    assert "may join" in admin_client.get(page + "add/").content.decode()
    refused = admin_client.post(page + "add/", {"key": "accounts.registration_open", "value": '"maybe"'})
    assert b"true or false" in refused.content
    admin_client.post(page + "add/", {"key": "accounts.registration_open", "value": "true"})
    row = Switch.objects.get()
    assert (row.value, row.updated_by) == (True, admin_user.username)
    admin_client.post(page + "accounts.registration_open/change/", {"value": "false"})
    admin_client.post(page + "accounts.registration_open/delete/", {"post": "yes"})
    changes = SwitchChange.objects.order_by("id").values_list("new", "by")
    assert list(changes) == [(True, "admin"), (False, "admin"), (None, "admin")]
