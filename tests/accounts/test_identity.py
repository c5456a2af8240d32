"""Who asks: browsers with cookies, bots with keys, programs with tokens; and nobody else."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import doors, identity, keys, logins, players, tokens
from accounts.errors import BadKey, ExpiredKey, MissingScope, TooManyKeys, UnknownKey, UnknownLogin
from accounts.models import ApiKey, Login, Player
from simgame.kernel import clock, viewer
from simgame.kernel.errors import Invalid, Unauthenticated
from simgame.problem import CsrfFailed
from tests.accounts.conftest import PASSWORD

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]


class Echo(APIView):
    def get(self, request: Any) -> HttpResponse:
        return HttpResponse(f"{request.user.username} {request.auth.how}")

    post = get


def enter(request: Any) -> HttpResponse:
    with viewer.door():
        player = Player.objects.get(username=request.GET["as"])
    logins.sign_in(request, player)
    return HttpResponse()


def leave(request: Any) -> HttpResponse:
    logins.sign_out(request)
    return HttpResponse()


class Guarded(doors.Door):
    def get(self, request: Any) -> Response:
        return Response()

    post = get


urlpatterns = [
    path("door/", Guarded.as_view()),
    path("echo", Echo.as_view()),
    path("enter", enter),
    path("leave", leave),
]


def scope(method: str = "GET", **headers: str) -> dict[str, Any]:
    given = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": "http",
        "method": method,
        "path": "/v2/orders",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), *given],
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 5),
    }


@pytest.fixture
def browser(alice: Player) -> Client:
    client = Client(enforce_csrf_checks=True, headers={"user-agent": "Firefox"})
    client.get("/enter?as=Alice")
    return client


def cookies(client: Client, csrf: str = "") -> str:
    both = f"sessionid={client.cookies['sessionid'].value}"
    return f"{both}; csrftoken={csrf}" if csrf else both


SECRET = "a" * 32


async def test_a_browser_is_known_by_its_session(browser: Client, alice: Player) -> None:
    who = await identity.identify(scope(cookie=cookies(browser)))
    assert (who.player_id, who.how, who.portfolio_id) == (alice.pk, "session", None)
    login = await Login.objects.aget(pk=who.login_id)
    assert (login.device, login.kind) == ("Firefox", "browser")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_csrftoken": "b" * 32},
        {"x_csrftoken": SECRET, "origin": "https://evil.example"},
        {"x_csrftoken": SECRET, "origin": "null"},
        {"x_csrftoken": SECRET, "origin": "http://localhost.evil.example"},
        {"x_csrftoken": SECRET, "origin": "http://localhost:8001"},
        {"x_http_method_override": "GET"},
    ],
)
async def test_it_refuses_an_order_that_another_site_sends_from_alices_browser(
    browser: Client, headers: dict[str, str]
) -> None:
    with pytest.raises(CsrfFailed):
        await identity.identify(scope("POST", cookie=cookies(browser, SECRET), **headers))


async def test_our_own_page_may_send_orders(browser: Client) -> None:
    for extra in ({}, {"origin": "http://localhost"}):
        request = scope("POST", cookie=cookies(browser, SECRET), x_csrftoken=SECRET, **extra)
        assert (await identity.identify(request)).how == "session"


def test_views_hold_the_same_rule(browser: Client) -> None:
    assert browser.get("/echo").content == b"Alice session"
    refused = browser.post("/echo", {}, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "CSRF_FAILED")
    browser.cookies["csrftoken"] = SECRET
    allowed = browser.post("/echo", {}, content_type="application/json", headers={"x-csrftoken": SECRET})
    assert allowed.content == b"Alice session"


async def test_nobody_is_unauthenticated(alice: Player) -> None:
    for headers in ({}, {"cookie": "sessionid=" + "x" * 32}, {"authorization": "Basic YTpi"}):
        with pytest.raises(Unauthenticated):
            await identity.identify(scope(**headers))


async def test_a_bad_key_is_not_saved_by_a_good_cookie(browser: Client) -> None:
    for headers in ({"apca_api_key_id": "SGX"}, {"apca_api_secret_key": "s"}, {"authorization": "Bearer x"}):
        with pytest.raises(Unauthenticated):
            await identity.identify(scope(cookie=cookies(browser), **headers))


async def test_a_bot_is_known_by_its_key(alice: Player) -> None:
    key, secret = await sync_to_async(keys.make)(alice.pk, 7, "momentum")
    bot = {"apca_api_key_id": key.key_id, "apca_api_secret_key": secret}
    who = await identity.identify(scope("POST", **bot))
    assert (who.player_id, who.portfolio_id, who.key_id, who.how) == (alice.pk, 7, key.key_id, "key")
    assert (await ApiKey.objects.aget(pk=key.key_id)).used_at
    with pytest.raises(BadKey):
        await identity.identify(scope(**(bot | {"apca_api_secret_key": secret + "x"})))
    await sync_to_async(keys.revoke)(alice.pk, key.key_id)
    with pytest.raises(BadKey):
        await identity.identify(scope(**bot))
    assert await identity.ended(alice.pk, who.session)


async def test_odd_credentials_are_refused_and_break_nothing(alice: Player) -> None:
    key, _ = await sync_to_async(keys.make)(alice.pk, 7)
    odd = ["", "\x00", "é" * 10, "x" * 10_000, "'; DROP TABLE accounts_apikey; --"]
    for text in odd:
        for headers in (
            {"apca_api_key_id": key.key_id, "apca_api_secret_key": text},
            {"apca_api_key_id": text, "apca_api_secret_key": "x"},
            {"authorization": f"Bearer {text}"},
            {"cookie": f"sessionid={text}"},
        ):
            with pytest.raises(Exception) as refusal:  # noqa: PT011  which one is checked below
                await identity.identify(scope(**headers))
            assert getattr(refusal.value, "status", 500) in {400, 401}, (text, headers, refusal.value)


async def test_a_remembered_identity_needs_no_database(
    browser: Client, django_assert_num_queries: Any
) -> None:
    request = scope(cookie=cookies(browser))
    who = await identity.identify(request)
    await sync_to_async(Login.objects.all().delete)()
    assert await identity.identify(request) == who


async def test_revocation_holds_within_five_seconds(
    browser: Client, alice: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = scope(cookie=cookies(browser))
    who = await identity.identify(request)
    # Another process revoked it: nothing here is told.
    await Login.objects.filter(pk=who.login_id).aupdate(revoked_at=clock.now())
    assert await identity.ended(alice.pk, who.session)
    later = clock.monotonic_s() + 4.9
    monkeypatch.setattr(clock, "monotonic_s", lambda: later)
    with pytest.raises(Unauthenticated):
        await identity.identify(request)


def test_keys_in_use_are_renewed_with_one_question(
    alice: Player, bob: Player, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    made = [keys.make(each.pk, 7) for each in (alice, bob, bob)]
    known = {}
    for key, secret in made:
        credential = identity.Credential("key", key.key_id, secret)
        known[identity._digest(credential)] = identity._find(credential)
    ApiKey.objects.filter(pk=made[2][0].pk).update(revoked_at=clock.now())  # by another process
    soon = clock.monotonic_s() + logins.RECENT_S - 1.0
    monkeypatch.setattr(clock, "monotonic_s", lambda: soon)
    with django_assert_num_queries(1):
        identity._renew_keys(known)
    *renewed, revoked = [identity.recent.look(digest)[1] for digest in known]
    assert renewed == [logins.RECENT_S, logins.RECENT_S]
    assert revoked <= 1.0


def test_who_looks_at_the_player_of_a_renewed_key_sees_him_as_he_is(alice: Player) -> None:
    key, secret = keys.make(alice.pk, 7)
    known = identity._find(identity.Credential("key", key.key_id, secret))
    identity._renew_keys({identity._digest(identity.Credential("key", key.key_id, secret)): known})
    Player.objects.filter(pk=alice.pk).update(theme="dark")
    asked = RequestFactory().get("/", headers={"apca-api-key-id": key.key_id, "apca-api-secret-key": secret})
    assert identity.known_of_request(asked).player.theme == "dark"


def test_a_key_of_somebody_who_was_shut_out_is_not_renewed(alice: Player) -> None:
    key, secret = keys.make(alice.pk, 7)
    credential = identity.Credential("key", key.key_id, secret)
    known = {identity._digest(credential): identity._find(credential)}
    Player.objects.filter(pk=alice.pk).update(is_active=False)
    identity.recent.forget()
    identity._renew_keys(known)
    assert identity.recent.get(next(iter(known))) is None


def test_alice_signs_one_device_out(browser: Client, alice: Player, bob: Player) -> None:
    other = Client(headers={"user-agent": "Phone"})
    other.get("/enter?as=Alice")
    devices = {login.device: login for login in logins.of_player(alice.pk)}
    assert set(devices) == {"Firefox", "Phone"}
    with pytest.raises(UnknownLogin):
        logins.revoke(bob.pk, devices["Phone"].pk)
    logins.revoke(alice.pk, devices["Phone"].pk)
    assert other.get("/echo").status_code == 401
    assert browser.get("/echo").status_code == 200
    with pytest.raises(UnknownLogin):
        logins.revoke(alice.pk, uuid.uuid4())


def test_signing_out_ends_the_login_and_the_session(browser: Client, alice: Player) -> None:
    stolen = Client()
    stolen.cookies["sessionid"] = browser.cookies["sessionid"].value
    assert stolen.get("/echo").status_code == 200
    browser.get("/leave")
    assert stolen.get("/echo").status_code == 401
    assert not Session.objects.exists()
    assert Login.objects.get(player=alice).why_revoked == "signed out"


def test_a_new_password_signs_every_other_device_out(browser: Client, alice: Player) -> None:
    token = tokens.issue(alice).access
    request = RequestFactory().get("/")
    request.session = browser.session
    request.user = players.change_password(alice.pk, PASSWORD, "another good one")
    assert Client().get("/echo", headers={"authorization": f"Bearer {token}"}).status_code == 401
    assert browser.get("/echo").status_code == 401


def test_a_portfolio_has_so_many_keys_and_no_more(alice: Player, bob: Player) -> None:
    made = [keys.make(alice.pk, 7)[0] for _ in range(keys.KEYS_PER_PORTFOLIO_MAX)]
    with pytest.raises(TooManyKeys):
        keys.make(alice.pk, 7)
    with pytest.raises(UnknownKey):
        keys.revoke(bob.pk, made[0].key_id)
    keys.revoke(alice.pk, made[0].key_id)
    assert keys.make(alice.pk, 7)


async def test_a_key_does_what_its_scopes_say_until_it_expires(
    alice: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = clock.now() + timedelta(days=30)
    key, secret = await sync_to_async(keys.make)(alice.pk, 7, "viewer", scopes=["read"], expires_at=soon)
    bot = {"apca_api_key_id": key.key_id, "apca_api_secret_key": secret}
    who = await identity.identify(scope("POST", **bot))
    who.require("read")
    with pytest.raises(MissingScope, match="trade") as refused:
        who.require("trade")
    assert refused.value.facts == {"scope": "trade", "scopes": ["read"]}
    logins.recent.forget()
    later = soon + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert await identity.ended(alice.pk, who.session), "its sockets close too"
    with pytest.raises(ExpiredKey):
        await identity.identify(scope(**bot))


def test_the_doors_ask_for_the_scope(alice: Player) -> None:
    made = {may: keys.make(alice.pk, 7, may, scopes=[may]) for may in ("read", "trade")}
    for may, (key, secret) in made.items():
        bot = {"apca-api-key-id": key.key_id, "apca-api-secret-key": secret}
        for method, needed in (("get", "read"), ("post", "trade")):
            answer = getattr(Client(), method)("/door/", headers=bot)
            assert answer.status_code == (200 if may == needed else 403)
            if may != needed:
                assert answer.json()["code"] == "MISSING_SCOPE"
                assert answer.json()["facts"]["scope"] == needed


@pytest.mark.parametrize("scopes", [[], ["admin"], ["read", "admin"]])
def test_there_are_no_other_scopes(alice: Player, scopes: list[str]) -> None:
    with pytest.raises(Invalid):
        keys.make(alice.pk, 7, scopes=scopes)
