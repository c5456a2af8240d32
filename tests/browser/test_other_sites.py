"""Alice signs up and in with an account of another site: a real OpenID Connect provider on loopback."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

import httpx
import pytest
from oidc_provider_mock import run_server_in_thread
from playwright.sync_api import Browser

from accounts.models import AuditEntry, Player
from simgame import env
from simgame.kernel import viewer
from tests.live import wait_until
from tests.simgame.test_servers import free_port

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CONTINUE = "/account/oidc/elsewhere/login/"


class Game(NamedTuple):
    here: str  # address of our web server
    there: str  # of the site whose accounts sign in here
    site: ExitStack  # closing it ends the site


@pytest.fixture
def game(child_env: dict[str, str]) -> Iterator[Game]:
    here = f"http://127.0.0.1:{(port := free_port())}"
    with ExitStack() as site:
        there = f"http://localhost:{site.enter_context(run_server_in_thread()).server_port}"
        app = {"provider_id": "elsewhere", "name": "Elsewhere", "client_id": "simgame", "secret": "s" * 40}
        social = {
            "openid_connect": app | {"settings": {"server_url": there}},
            "github": {"client_id": "x", "secret": "x"},
        }
        web = subprocess.Popen(
            [sys.executable, "-m", "simgame.web", "--port", str(port)],
            cwd=env.BASE_DIR,
            env={**child_env, "SIMGAME_SOCIAL": json.dumps(social), "SIMGAME_LOG_LEVEL": "ERROR"},
        )
        try:
            wait_until(lambda: _answers(here), "the web server")
            yield Game(here, there, site)
        finally:
            web.terminate()
            web.wait(30)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/livez").status_code == 200
    except httpx.TransportError:
        return False


def test_alice_signs_up_and_in_with_an_account_of_another_site(browser: Browser, game: Game) -> None:
    context = browser.new_context(base_url=game.here, locale="en")
    page = context.new_page()
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text) if "form-action" in said.text else None)
    page.goto("/login/?next=/settings/")
    page.get_by_role("link", name="Elsewhere").click()
    page.get_by_role("button", name="Continue").click()
    page.get_by_placeholder("sub").fill("alice@elsewhere.example")
    page.get_by_role("button", name="Authorize").click()

    page.get_by_label("Username").fill("Alice")
    page.get_by_role("button", name="Start playing").click()
    page.wait_for_url(re.compile("/settings/"))
    context.clear_cookies()
    page.goto("/login/?next=/settings/")
    page.get_by_role("link", name="Elsewhere").click()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="alice@elsewhere.example").click()
    page.wait_for_url(re.compile("/settings/"))
    context.close()
    with viewer.house():
        alice = Player.objects.get()
        assert (alice.username, alice.guest, alice.has_usable_password()) == ("Alice", False, False)
        made = AuditEntry.objects.get(action="player.register")
        assert (made.actor_id, made.facts["provider"]) == (alice.pk, "elsewhere")
    assert refused == []


def test_a_form_leads_to_the_site_it_names_and_to_no_other(game: Game) -> None:
    with httpx.Client(base_url=game.here) as client:
        pages = {path: client.get(path) for path in ("/login/", CONTINUE, "/account/github/login/")}
        policies = [page.headers["content-security-policy"] for page in pages.values()]
        found = [re.search(r"form-action ([^;]*)", policy)[1] for policy in policies]
        assert found == ["'self'", f"'self' {game.there}", "'self' https://github.com"]
        game.site.close()
        form = {"csrfmiddlewaretoken": client.cookies["csrftoken"]}
        away = client.post(CONTINUE, data=form)
    assert away.status_code == 503 and "The other site does not answer" in away.text
