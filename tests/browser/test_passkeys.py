"""A passkey, from the settings to the next sign-in: Chromium's own authenticator, our pages, a strict CSP."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser import people
from tests.browser.conftest import Visiting
from tests.live import LiveGame

pytestmark = pytest.mark.browser
TOUCHED_AT_ONCE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def test_alice_signs_in_with_a_passkey(visit: Visiting, live_game: LiveGame) -> None:
    seen = visit(base_url=live_game.address.replace("127.0.0.1", "localhost"))  # passkeys belong to a name
    page = seen.page
    devtools = seen.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": TOUCHED_AT_ONCE})
    people.register(page)
    page.goto("/settings/")
    page.get_by_role("link", name="Passkeys").click()
    page.locator("a[href*='webauthn/add']").click()
    page.get_by_label("Password").fill(people.PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_label("Passwordless").check()
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_label("Unused codes")).to_have_value(re.compile(r"\w{8}\s"))
    page.goto("/account/2fa/webauthn/")
    expect(page.locator("tbody tr")).to_have_count(1)
    seen.context.clear_cookies()
    page.goto("/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    people.live(page)
