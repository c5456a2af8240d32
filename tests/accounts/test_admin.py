"""Operators look after players, and cannot do more than they may."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client

from accounts import keys, logins, players, tokens
from accounts.models import ApiKey, AuditEntry, Login, Player
from tests.accounts.conftest import PASSWORD

pytestmark = pytest.mark.django_db
PLAYERS = "/admin/accounts/player/"


@pytest.fixture
def staff(db: None) -> Client:
    """May change players, and nothing else."""
    helper = players.register("Helper", PASSWORD)
    helper.is_staff = True
    helper.save()
    helper.user_permissions.set(Permission.objects.filter(codename__in=["change_player", "view_player"]))
    client = Client()
    client.force_login(helper)
    return client


def test_the_first_admin_comes_from_the_command_line_and_signs_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", username="Root", interactive=False, verbosity=0)
    client = Client()
    assert client.get(PLAYERS, follow=True).redirect_chain[-1][0] == f"/login/?next={PLAYERS}"
    answer = client.post("/login/", {"username": "root", "password": PASSWORD, "next": PLAYERS})
    assert answer.headers["Location"] == PLAYERS
    assert client.get(PLAYERS).status_code == 200
    assert Login.objects.get().player.username == "Root"


@pytest.mark.parametrize("model", ["player", "apikey", "login", "auditentry"])
def test_every_page_opens(admin_client: Client, alice: Player, model: str) -> None:
    keys.make(alice.pk, 1)
    tokens.issue(alice)
    for query in ("", "?q=alice", "?q=7"):
        assert admin_client.get(f"/admin/accounts/{model}/{query}").status_code == 200
    row = {"player": alice, "apikey": ApiKey, "login": Login, "auditentry": AuditEntry}[model]
    pk = row.pk if isinstance(row, Player) else row.objects.first().pk
    assert admin_client.get(f"/admin/accounts/{model}/{pk}/change/").status_code == 200


def test_new_players_can_be_made_here(admin_client: Client) -> None:
    form = {"username": "Carol", "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    assert admin_client.post(PLAYERS + "add/", form).status_code == 302
    assert players.authenticate("carol", PASSWORD).username == "Carol"


def test_an_operator_signs_alice_out_everywhere(admin_client: Client, alice: Player) -> None:
    tokens.issue(alice)
    admin_client.post(PLAYERS, {"action": "sign_out_everywhere", "_selected_action": [alice.pk]})
    assert not logins.of_player(alice.pk).exists()
    assert AuditEntry.objects.filter(action="login.revoke_all", subject=str(alice.pk)).exists()


def test_deactivating_asks_first(admin_client: Client, alice: Player) -> None:
    form = {"action": "deactivate", "_selected_action": [alice.pk]}
    assert "Alice" in admin_client.post(PLAYERS, form).content.decode()
    alice.refresh_from_db()
    assert alice.is_active
    admin_client.post(PLAYERS, form | {"sure": "yes"})
    alice.refresh_from_db()
    assert not alice.is_active


def test_staff_cannot_make_itself_a_superuser(staff: Client) -> None:
    helper = Player.objects.get(username="Helper")
    page = f"{PLAYERS}{helper.pk}/change/"
    staff.post(
        page, {"username": "Helper", "is_superuser": "on", "is_staff": "on", "user_permissions": [1, 2]}
    )
    helper.refresh_from_db()
    assert (helper.is_superuser, helper.user_permissions.count()) == (False, 2)


def test_staff_does_not_become_a_colleague(staff: Client, admin_user: Player) -> None:
    """Neither by a password nor by an address that a reset would go to."""
    page = f"{PLAYERS}{admin_user.pk}/"
    new = {"password1": "calm-otters-9", "password2": "calm-otters-9", "usable_password": "true"}
    assert staff.post(page + "password/", new).status_code == 403
    assert (
        staff.post(page + "change/", {"username": "admin", "email": "helper@example.org"}).status_code == 403
    )
    admin_user.refresh_from_db()
    assert admin_user.email != "helper@example.org" and not admin_user.check_password("calm-otters-9")


def test_an_operator_removes_a_lost_authenticator_and_sees_no_secret(
    admin_client: Client, staff: Client, alice: Player, admin_user: Player
) -> None:
    lost, theirs = (
        Authenticator.objects.create(user=each, type="totp", data={"secret": "sealed"})
        for each in (alice, admin_user)
    )
    page = "/admin/mfa/authenticator/"
    assert "sealed" not in admin_client.get(f"{page}{lost.pk}/change/").content.decode()
    helper = Player.objects.get(username="Helper")
    helper.user_permissions.add(*Permission.objects.filter(content_type__app_label="mfa"))
    assert staff.post(f"{page}{theirs.pk}/delete/", {"post": "yes"}).status_code == 403
    staff.post(page, {"action": "delete_selected", "_selected_action": [theirs.pk], "post": "yes"})
    assert Authenticator.objects.filter(pk=theirs.pk).exists()
    assert staff.post(f"{page}{lost.pk}/delete/", {"post": "yes"}).status_code == 302
    entry = AuditEntry.objects.get(action="admin.delete")
    assert entry.before["user_id"] == alice.pk and "sealed" not in str(entry.before)


def test_staff_cannot_deactivate_a_superuser(staff: Client, admin_user: Player) -> None:
    staff.post(PLAYERS, {"action": "deactivate", "_selected_action": [admin_user.pk], "sure": "yes"})
    admin_user.refresh_from_db()
    assert admin_user.is_active


@pytest.mark.parametrize("model", ["apikey", "login", "auditentry", "player"])
def test_not_even_a_superuser_deletes_these(admin_client: Client, alice: Player, model: str) -> None:
    tokens.issue(alice)
    keys.make(alice.pk, 1)
    row = {"player": Player, "apikey": ApiKey, "login": Login, "auditentry": AuditEntry}[
        model
    ].objects.first()
    assert admin_client.post(f"/admin/accounts/{model}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    page = f"/admin/accounts/{model}/"
    admin_client.post(page, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert type(row).objects.filter(pk=row.pk).exists()


def test_secrets_are_not_on_the_pages(admin_client: Client, alice: Player) -> None:
    key, _ = keys.make(alice.pk, 1)
    page = admin_client.get(f"/admin/accounts/apikey/{key.pk}/change/").content
    assert b"secret" not in page.lower()
