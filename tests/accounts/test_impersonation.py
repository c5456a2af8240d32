"""An operator looks at the game as Alice: with a reason, on record, changing nothing, ended by one click."""

from __future__ import annotations

import re
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import URLPattern

from accounts import identity, impersonation, logins, players
from accounts.errors import LookingOnly
from accounts.models import AuditEntry, Login, Player
from simgame.kernel import viewer
from tests.accounts.conftest import PASSWORD
from tests.exchange import street
from trading import games, page_urls
from trading.models import Portfolio

pytestmark = pytest.mark.django_db(transaction=True)
PLAYERS, END = "/admin/accounts/player/", "/impersonation/end/"
WHY = "Her position looks wrong to her: ticket 4711"


def operator(name: str, *may: str, superuser: bool = False) -> Client:
    person = players.register(name, PASSWORD)
    Player.objects.filter(pk=person.pk).update(is_staff=True, is_superuser=superuser)
    person.user_permissions.set(Permission.objects.filter(codename__in=may))
    client = Client(headers={"user-agent": "Firefox"})
    client.force_login(person)
    return client


@pytest.fixture
def root(db: None) -> Client:
    return operator("Root", superuser=True)


def look_as(client: Client, player: Player, **more: str) -> int:
    form = {"action": "look_as", "_selected_action": [player.pk], **more}
    return client.post(PLAYERS, form).status_code


def test_it_asks_why_shows_a_banner_and_is_on_record(root: Client, alice: Player) -> None:
    assert look_as(root, alice) == 200
    assert look_as(root, alice, reason="so") == 422
    assert not AuditEntry.objects.filter(action="impersonate.start").exists()
    assert look_as(root, alice, reason=WHY) == 302
    page = root.get("/settings/").content.decode()
    assert "You look at the game as Alice" in page and WHY in page and END in page
    assert "SimGame operator" in page, "among her devices, and she can end it"
    start = AuditEntry.objects.get(action="impersonate.start")
    boss = Player.objects.get(username="Root")
    assert (start.actor_id, start.subject, start.facts["reason"]) == (boss.pk, str(alice.pk), WHY)
    look = AuditEntry.objects.get(action="impersonate.look")
    assert (look.actor_id, look.impersonator_id, look.subject) == (alice.pk, boss.pk, "/settings/")
    alice.refresh_from_db()
    assert alice.last_login is None, "it was not she who signed in"


def test_nothing_can_be_changed_meanwhile(root: Client, alice: Player) -> None:
    look_as(root, alice, reason=WHY)
    for path in ("/settings/", "/settings/password/", "/settings/keys/", "/settings/logins/revoke/"):
        assert root.post(path, {"language": "zh-hans"}).status_code == 403
    assert root.get("/admin/").status_code == 403
    cookie = f"sessionid={root.cookies['sessionid'].value}"
    scope = {"method": "GET", "headers": [(b"cookie", cookie.encode())]}
    who = async_to_sync(identity.identify)(scope)
    who.require("read")
    with pytest.raises(LookingOnly):
        who.require("trade")
    sent = root.delete("/api/v1/auth/sessions")
    assert (sent.status_code, sent.json()["code"]) == (403, "LOOKING_ONLY")


def rows_of_every_table() -> dict[str, int]:
    with viewer.house():
        tables = {model._meta.db_table: model._default_manager.count() for model in apps.get_models()}
    assert tables.pop("accounts_auditentry") > 0
    return tables


def test_looking_at_who_has_not_joined_joins_nobody(root: Client, alice: Player, settings: Any) -> None:
    world = street.make_world()
    settings.WORLD = world.slug
    season = games.ensure_season(world)
    look_as(root, alice, reason=WHY)
    before = rows_of_every_table()
    sample = {"slug": season.slug, "str": "ACME", "int": "1", "uuid": str(season.pk) * 32}
    pages = [str(one.pattern) for one in page_urls.urlpatterns if isinstance(one, URLPattern)]
    looks = ["/" + re.sub(r"<(\w+):\w+>", lambda kind: sample[kind[1]], page) for page in pages]
    assert len(looks) > 20
    for path in (*looks, "/api/v1/desk", "/v2/account", "/api/v1/games", "/api/v1/journal"):
        assert root.get(path).status_code in (200, 302, 404, 405), path
        assert rows_of_every_table() == before, path
    for path in ("/desk/", "/portfolio/", "/orders/", "/journal/"):
        page = root.get(path)
        assert page.status_code == 404
        assert f"Alice has not joined {season.name} yet." in page.content.decode(), path
    assert "Alice" in root.get("/games/").content.decode(), "the other pages are hers"
    Portfolio.objects.create(player=alice, game=season)
    assert root.get("/desk/").status_code == 404, "books that are being opened are not opened by looking"


def test_the_database_takes_no_write_while_somebody_is_looked_at(alice: Player) -> None:
    with impersonation._looking_only():
        assert Player.objects.filter(pk=alice.pk).exists()
        with pytest.raises(LookingOnly):
            Player.objects.filter(pk=alice.pk).update(username="Mallory")
    assert Player.objects.filter(pk=alice.pk).update(username="Alicia") == 1


def test_one_click_ends_it(root: Client, alice: Player) -> None:
    look_as(root, alice, reason=WHY)
    assert root.post(END).headers["Location"] == f"{PLAYERS}{alice.pk}/change/"
    assert root.get(PLAYERS).status_code == 200
    assert not logins.of_player(alice.pk).exists()
    assert AuditEntry.objects.filter(action="impersonate.end", subject=str(alice.pk)).exists()
    assert root.post(END).headers["Location"] == "/"


def test_who_lost_power_meanwhile_does_not_get_it_back(root: Client, alice: Player) -> None:
    look_as(root, alice, reason=WHY)
    Player.objects.filter(username="Root").update(is_staff=False)
    assert root.post(END).headers["Location"] == "/login/"
    assert root.get(PLAYERS).status_code == 302


def test_staff_needs_the_permission_and_never_acts_as_staff(alice: Player, root: Client) -> None:
    helper = operator("Helper", "view_player", "change_player")
    look_as(helper, alice, reason=WHY)
    trusted = operator("Trusted", "view_player", "change_player", "impersonate_player")
    for power in ({"is_staff": True}, {"is_superuser": True}):
        Player.objects.filter(pk=alice.pk).update(**{"is_staff": False, "is_superuser": False} | power)
        assert look_as(trusted, alice, reason=WHY) == 403
    assert not Login.objects.filter(impersonator_id__isnull=False).exists()
    Player.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=False)
    assert look_as(root, alice, reason=WHY) == 302, "a superuser may"
    assert look_as(trusted, Player.objects.get(username="Trusted"), reason=WHY) == 403, "not as oneself"
