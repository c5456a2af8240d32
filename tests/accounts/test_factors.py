"""More than a password: e-mailed codes, a password forgotten, an authenticator app; pages and programs."""

from __future__ import annotations

import re
import time

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core import mail
from django.core.cache import cache
from django.test import Client

from accounts import factors, limits, logins, tokens
from accounts.errors import BadCredentials, SecondFactorNeeded
from accounts.models import AuditEntry, Login, Player
from simgame.kernel.errors import RateLimited
from tests.accounts.conftest import PASSWORD

pytestmark = pytest.mark.django_db
HTML = {"HTTP_ACCEPT": "text/html"}


@pytest.fixture(autouse=True)
def _nobody_tried_before() -> None:
    cache.clear()


@pytest.fixture
def season(monkeypatch: pytest.MonkeyPatch) -> None:
    """Players are signed in here, not put into a game."""
    monkeypatch.setattr("trading.games.running_season", lambda: None)
    monkeypatch.setattr("trading.games.join", lambda *_: None)


@pytest.fixture
def browser(season: None) -> Client:
    return Client(headers={"user-agent": "Firefox"})


@pytest.fixture
def alice(alice: Player) -> Player:
    alice.email = "alice@example.org"
    alice.save()
    EmailAddress.objects.create(user=alice, email=alice.email, primary=True)
    return alice


def sign_in(browser: Client) -> str:
    """With the password: where that leads."""
    return browser.post("/login/", {"username": "alice", "password": PASSWORD}).headers["Location"]


def code_of(secret: str, steps: int = 0) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps))


@pytest.fixture
def secret(browser: Client, alice: Player) -> str:
    """Of the authenticator app that Alice has set up on the pages."""
    sign_in(browser)
    asked = browser.get("/account/2fa/totp/activate/")
    assert asked.headers["Location"].startswith("/account/reauthenticate/"), (
        "a found open browser is not enough"
    )
    page = browser.post(asked.headers["Location"], {"password": PASSWORD}, follow=True).content.decode()
    secret = re.search(r'id="authenticator_secret"[^>]*value="(\w+)"', page)[1]
    done = browser.post("/account/2fa/totp/activate/", {"code": code_of(secret)})
    assert done.status_code == 302, done.content.decode()
    browser.post("/logout/")
    cache.clear()  # the code of this half minute may be used once more: a test has no time to wait
    return secret


def test_a_code_by_e_mail_signs_alice_in(browser: Client, alice: Player) -> None:
    browser.post("/account/login/code/", {"email": "alice@example.org"})
    (letter,) = mail.outbox
    code = re.search(r"^([\w-]{6,9})$", letter.body, re.MULTILINE)[1]
    wrong = browser.post("/account/login/code/confirm/", {"code": "WRONG1"})
    assert wrong.status_code == 200 and not Login.objects.exists()
    assert browser.post("/account/login/code/confirm/", {"code": code}).headers["Location"] == "/desk/"
    login = Login.objects.get()
    assert (login.player, login.device, login.address) == (alice, "Firefox", "127.0.0.1")
    assert AuditEntry.objects.filter(action="email.confirm", actor_id=alice.pk).exists()


def test_a_stranger_learns_nothing_of_who_has_an_account(browser: Client, alice: Player) -> None:
    known = browser.post("/account/login/code/", {"email": "alice@example.org"})
    unknown = Client().post("/account/login/code/", {"email": "nobody@example.org"})
    assert (known.status_code, known.headers["Location"]) == (
        unknown.status_code,
        unknown.headers["Location"],
    )
    assert [letter.to for letter in mail.outbox] == [["alice@example.org"]]


def test_a_forgotten_password_is_set_anew_and_every_device_is_out(browser: Client, alice: Player) -> None:
    tokens.issue(alice)
    browser.post("/account/password/reset/", {"email": "alice@example.org"})
    link = re.search(r"http://testserver(/account/password/reset/key/\S+)", mail.outbox[0].body)[1]
    form = browser.get(link, follow=True)
    weak = browser.post(form.request["PATH_INFO"], {"password1": "12345678", "password2": "12345678"})
    assert weak.status_code == 200
    new = "five-calm-otters"
    assert browser.post(form.request["PATH_INFO"], {"password1": new, "password2": new}).status_code == 302
    assert not logins.of_player(alice.pk).exists()
    assert AuditEntry.objects.filter(action="password.reset", actor_id=alice.pk).exists()
    assert browser.post("/login/", {"username": "alice", "password": new}).headers["Location"] == "/desk/"
    assert browser.get(link, follow=True).status_code == 200, "the link is used up, and says so"


@pytest.mark.django_db(transaction=True)  # allauth tells of it on commit
def test_with_an_app_the_password_is_only_half(browser: Client, alice: Player, secret: str) -> None:
    assert secret not in str(list(Authenticator.objects.values_list("data", flat=True)))
    assert AuditEntry.objects.filter(action="factor.add", actor_id=alice.pk).count() == 2  # and its codes
    assert sign_in(browser).startswith("/account/2fa/authenticate/")
    assert not logins.of_player(alice.pk).exists()
    assert browser.get("/settings/").status_code == 302
    assert browser.post("/account/2fa/authenticate/", {"code": "000000"}).status_code == 200
    assert not logins.of_player(alice.pk).exists()
    assert (
        browser.post("/account/2fa/authenticate/", {"code": code_of(secret)}).headers["Location"] == "/desk/"
    )
    assert logins.of_player(alice.pk).count() == 1


def test_the_door_of_the_operators_asks_for_it_too(browser: Client, alice: Player, secret: str) -> None:
    Player.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    assert browser.post("/admin/login/", {"username": "alice", "password": PASSWORD}).headers["Location"] == (
        "/login/?next=/admin/"
    )
    browser.post("/login/", {"username": "alice", "password": PASSWORD, "next": "/admin/"})
    assert browser.get("/admin/").status_code == 302
    to = browser.post("/account/2fa/authenticate/", {"code": code_of(secret)}).headers["Location"]
    assert (to, browser.get(to).status_code) == ("/admin/", 200)


def test_a_program_sends_a_code_beside_the_password(browser: Client, alice: Player, secret: str) -> None:
    said = {"username": "alice", "password": PASSWORD}

    def ask(**more: str) -> tuple[int, str]:
        answer = Client().post("/api/v1/auth/token", said | more, content_type="application/json")
        return answer.status_code, answer.json().get("code", "")

    assert ask() == (401, "SECOND_FACTOR_NEEDED")
    assert ask(code="000000") == (401, "BAD_CREDENTIALS")
    assert ask(code=code_of(secret)) == (200, "")
    recovery = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()[0]
    assert ask(code=recovery) == (200, "")
    assert ask(code=recovery) == (401, "BAD_CREDENTIALS"), "each is good once"


def test_codes_cannot_be_guessed(browser: Client, alice: Player, secret: str) -> None:
    limits.forget()
    for _ in range(factors.GUESSES):
        with pytest.raises(BadCredentials):
            factors.check(alice, "000000")
    with pytest.raises(RateLimited):
        factors.check(alice, "000000")
    with pytest.raises(SecondFactorNeeded):
        factors.check(alice, "")


def test_nobody_tries_these_doors_without_end(browser: Client, alice: Player) -> None:
    """Also while Redis is away: the count is our own."""
    seen = [browser.post("/account/login/code/", {"email": "x@example.org"}).status_code for _ in range(21)]
    assert seen[-1] == 429 and 500 not in seen


def test_a_mail_server_that_is_away_is_said_and_breaks_nothing(
    browser: Client, alice: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise ConnectionRefusedError("no mail server")

    monkeypatch.setattr("django.core.mail.message.EmailMessage.send", away)
    page = browser.post("/account/password/reset/", {"email": "alice@example.org"}, follow=True)
    assert page.status_code == 200 and "could not be sent" in page.content.decode()


def test_a_new_player_proves_the_address_they_gave(browser: Client) -> None:
    form = {"username": "Carol", "password": PASSWORD, "password2": PASSWORD, "email": "Carol@Example.org"}
    assert browser.post("/register/", form).headers["Location"] == "/desk/"
    (letter,) = mail.outbox
    link = re.search(r"http://testserver(/account/confirm-email/\S+)", letter.body)[1]
    assert browser.post(link).status_code == 302
    carol = Player.objects.get(username="Carol")
    assert carol.emailaddress_set.get().verified


def test_a_guest_chooses_a_name_first(browser: Client) -> None:
    browser.post("/play/")
    for page in ("2fa/", "email/", "2fa/webauthn/add/"):
        assert browser.get(f"/account/{page}").headers["Location"] == "/keep/"
