"""What people did is on record, and the record shows when somebody laid hands on it."""

from __future__ import annotations

import json
from contextlib import suppress
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection, transaction
from django.db.utils import Error
from django.test import Client

from accounts import audit, chain
from accounts.chain import Anchor
from accounts.models import AuditEntry, Player
from simgame.switches.models import Switch

pytestmark = pytest.mark.django_db
ENTRIES, HEAD = "accounts_auditentry", "accounts_audithead"


@pytest.fixture
def trail() -> list[AuditEntry]:
    """Five acts."""
    for number in range(5):
        audit.record(None, "test.act", number, note="价格 ü", price="10.00", count=number)
    close()
    return list(AuditEntry.objects.order_by("id"))


def as_a_superuser(sql: str) -> None:
    """What somebody who owns the database can do: past every trigger."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql)
        cursor.execute("SET LOCAL session_replication_role = origin")


def close() -> None:
    """What the end of a transaction does."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


def verified(*anchors: str) -> dict[str, Any]:
    close()
    out = StringIO()
    more = [f"--anchor={anchor}" for anchor in anchors]
    try:
        call_command("audit", "verify", "--format", "json", *more, stdout=out)
        code = 0
    except SystemExit as end:
        code = end.code
    told = json.loads(out.getvalue())
    assert code == (0 if told["whole"] else 1)
    return told


def test_an_untouched_trail_is_whole(trail: list[AuditEntry]) -> None:
    told = verified()
    assert told["whole"] and told["entries"] == 5
    assert told["head"] == {"id": trail[-1].id, "hash": AuditEntry.objects.latest("id").hash.hex()}
    assert verified(f"{trail[-1].id}:{told['head']['hash']}")["whole"]


@pytest.mark.parametrize(
    ("deed", "found"),
    [
        ("UPDATE {t} SET facts = '{{\"price\": \"11.00\"}}' WHERE id = {third}", 3),
        ("UPDATE {t} SET actor_id = 7 WHERE id = {third}", 3),
        ("UPDATE {t} SET at = at + interval '1 microsecond' WHERE id = {third}", 3),
        ("DELETE FROM {t} WHERE id = {third}", 4),
        ("DELETE FROM {t} WHERE id = {fifth}", 5),
        ("DELETE FROM {t} WHERE id >= {third}", 3),
        ("UPDATE {t} SET id = id + 100 WHERE id = {third}", 4),
        ("INSERT INTO {t} (id, at, action, subject, facts, agent, previous, hash) "
         "SELECT 100, at, action, subject, facts, agent, previous, hash FROM {t} WHERE id = {third}", 100),
    ],
)  # fmt: skip
def test_every_hand_laid_on_it_is_found(trail: list[AuditEntry], deed: str, found: int) -> None:
    first = trail[0].id
    as_a_superuser(deed.format(t=ENTRIES, third=first + 2, fifth=first + 4))
    told = verified()
    assert not told["whole"]
    assert told["broken_at"] == (found if found == 100 else first + found - 1)


def test_a_chain_that_was_made_anew_is_found_by_the_head_that_was_noted(trail: list[AuditEntry]) -> None:
    noted = chain.verify().head
    as_a_superuser(f"DELETE FROM {ENTRIES}; DELETE FROM {HEAD}")
    for number in range(noted.id):
        audit.record(None, "test.act", number, note="nothing happened")
    close()
    assert chain.verify().broken_at is None
    assert chain.verify((noted,)).broken_at == noted.id
    assert chain.verify((Anchor(noted.id + 9, noted.hash),)).broken_at == noted.id + 9


def test_a_writer_who_knows_nothing_of_the_chain_continues_it(trail: list[AuditEntry]) -> None:
    """By hand, with a number and hashes of its own: the trigger sets them."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {ENTRIES} (id, at, action, subject, facts, agent, previous, hash) "
            "SELECT id, now(), 'by.hand', '', '{}', '', 'x', 'y' FROM generate_series(4000, 4001) AS id"
        )
    assert verified()["entries"] == 7
    assert AuditEntry.objects.latest("id").id == trail[-1].id + 2


def test_an_admin_who_acts_on_5000_players_at_once_writes_the_head_once(trail: list[AuditEntry]) -> None:
    with connection.cursor() as cursor:
        written = "SELECT n_tup_upd FROM pg_stat_xact_user_tables WHERE relname = %s"
        cursor.execute(written, [HEAD])
        before = cursor.fetchone()[0]
        for half in range(2):
            cursor.execute(
                f"INSERT INTO {ENTRIES} (at, action, subject, facts, agent, previous, hash) "
                "SELECT now(), 'many', number::text, '{}', '', '', '' FROM generate_series(1, 2500) AS number"
            )
            if half == 0:
                with suppress(ZeroDivisionError), transaction.atomic():
                    audit.record(None, "undone")
                    1 / 0  # noqa: B018
        close()
        cursor.execute(written, [HEAD])
        assert cursor.fetchone()[0] == before + 1
    told = verified()
    assert (told["whole"], told["entries"], told["head"]["id"]) == (True, 5005, trail[-1].id + 5000)


@pytest.mark.parametrize(
    "sql",
    [
        f"UPDATE {ENTRIES} SET action = ''",
        f"DELETE FROM {ENTRIES}",
        f"TRUNCATE {ENTRIES}",
        f"UPDATE {HEAD} SET last = 0",
        f"DELETE FROM {HEAD}",
        f"TRUNCATE {HEAD}",
    ],
)
def test_the_trail_and_its_head_cannot_be_changed(trail: list[AuditEntry], sql: str) -> None:
    with pytest.raises(Error, match="append-only"), transaction.atomic():
        connection.cursor().execute(sql)
    assert verified()["whole"]


def test_an_admins_change_is_written_down_before_and_after(admin_client: Client, alice: Player) -> None:
    """Whatever model, by whichever app: also Django's own groups, and switches that save by themselves."""
    page = f"/admin/accounts/player/{alice.pk}/change/"
    form = {"username": "Alice", "email": "alice@example.org", "language": "", "theme": "dark", "colours": ""}
    assert admin_client.post(page, form, HTTP_USER_AGENT="Firefox").status_code == 302
    entry = AuditEntry.objects.get(action="admin.change")
    assert (entry.before, entry.after) == (
        {"email": "", "theme": ""},
        {"email": "alice@example.org", "theme": "dark"},
    )
    assert (entry.actor_id, entry.address, entry.agent) == (
        Player.objects.get(username="admin").pk, "127.0.0.1", "Firefox",
    )  # fmt: skip
    admin_client.post("/admin/auth/group/add/", {"name": "hosts"})
    assert AuditEntry.objects.get(action="admin.add").after["name"] == "hosts"
    admin_client.post(f"/admin/auth/group/{Group.objects.get().pk}/delete/", {"post": "yes"})
    assert AuditEntry.objects.get(action="admin.delete").before["name"] == "hosts"
    admin_client.post("/admin/switches/switch/add/", {"key": "accounts.registration_open", "value": "false"})
    key = Switch.objects.get().pk
    admin_client.post(f"/admin/switches/switch/{key}/change/", {"value": "true"})
    switched = AuditEntry.objects.filter(action="admin.change").latest("id")
    assert (switched.before["value"], switched.after["value"]) == (False, True)
    assert verified()["whole"]


def test_an_action_is_written_down_and_no_secret_is(admin_client: Client, alice: Player) -> None:
    page = f"/admin/accounts/player/{alice.pk}/"
    form = {"password1": "calm-otters-9", "password2": "calm-otters-9", "usable_password": "true"}
    assert admin_client.post(page + "password/", form).status_code == 302
    admin_client.post(
        "/admin/accounts/player/", {"action": "sign_out_everywhere", "_selected_action": [alice.pk]}
    )
    acts = AuditEntry.objects.filter(action__startswith="admin.").order_by("id")
    assert [(act.action, act.facts.get("name", "")) for act in acts] == [
        ("admin.change", ""),
        ("admin.action", "sign_out_everywhere"),
    ]
    assert acts[1].facts["chosen"] == [str(alice.pk)]
    assert not any("md5$" in str(act.before) + str(act.after) + str(act.facts) for act in acts)
