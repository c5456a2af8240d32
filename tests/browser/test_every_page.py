"""Every page, dark and light, wide and phone: nothing complains, axe finds nothing, nothing overflows."""

from __future__ import annotations

import json
import re
from itertools import product

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from market.rulebook.rules import VOLATILITY_HALT
from ops import pictures, pictures_staff
from tests.browser import people
from tests.browser.conftest import Visiting

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OPEN_PAGES = ["/", "/login/", "/register/", "/standings/", "/help/", "/status/", "/games/", "/api/"]
OWN_PAGES = [
    "/desk/",
    "/standings/",
    "/portfolio/",
    "/settings/",
    "/keep/",
    "/orders/",
    "/journal/",
    "/games/",
]
AXE = settings.NPM_DIR / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def findings(page: Page) -> list[str]:
    """What axe says against WCAG 2.2 AA: rule, and the first places."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(f"() => axe.run(document, {{runOnly: {json.dumps(TAGS)}}})")
    return [
        f"{rule['id']}: {[node['target'][0] for node in rule['nodes'][:4]]}" for rule in found["violations"]
    ]


@pytest.mark.skipif(not AXE.is_file(), reason=f"axe-core is not installed: {AXE} (npm, ops/frontend)")
@pytest.mark.parametrize(("theme", "phone"), list(product(["dark", "light"], [False, True])))
def test_axe_finds_nothing(visit: Visiting, theme: str, phone: bool) -> None:
    page = visit(phone=phone, color_scheme=theme).page
    found = {}
    for path in OPEN_PAGES:
        page.goto(path)
        page.wait_for_load_state("networkidle") if path != "/" else page.wait_for_timeout(500)
        found[path] = findings(page)
    people.play_now(page)
    for path in OWN_PAGES:
        page.goto(path)
        expect(page.locator("main")).to_be_visible()
        found[f"own {path}"] = findings(page)
    assert {path: rules for path, rules in found.items() if rules} == {}


def test_no_page_is_wider_than_a_phone(visit: Visiting) -> None:
    page = visit(phone=True).page
    people.play_now(page)
    for path in [*OPEN_PAGES, *OWN_PAGES]:
        page.goto(path)
        assert page.evaluate(TOO_WIDE) <= 0, path


def test_every_page_says_the_same_worth(visit: Visiting) -> None:
    """Never the cash alone while prices are on their way, and never a holding left out."""
    page = visit().page
    people.play_now(page)
    people.buy_at_market(page, "1000")
    expect(page.locator('[data-count="positions"]')).to_have_text("1")
    symbol = page.locator("#instrument h1").inner_text()
    other = next(name for name in page.locator(".wl .s").all_inner_texts() if name != symbol)
    for path in ["/portfolio/", "/standings/", "/orders/", "/journal/", f"/instruments/{other}/"]:
        page.goto(path)
        equity = page.locator("[data-figure=equity] [data-equity]")
        assert float(equity.inner_text().replace(",", "")) > 999_000, f"{path}, as it was sent"
        expect(page.locator("#badge")).to_have_attribute("data-state", "live")
        expect(page.locator("[data-today]").first).to_have_text(re.compile(r"\d"))
        assert float(equity.inner_text().replace(",", "")) > 999_000, path


def test_a_page_that_is_not_there_says_so(visit: Visiting) -> None:
    here = visit()
    here.forgive("404")
    answer = here.page.goto("/nothing-here/")
    assert answer is not None
    assert answer.status == 404
    expect(here.page.get_by_role("heading", level=1)).to_have_text("There is nothing here")
    answer = here.page.goto("/desk/NOPE/")
    assert answer is not None
    assert answer.ok, "a visitor is asked to sign in first"
    people.play_now(here.page)
    answer = here.page.goto("/desk/NOPE/")
    assert answer is not None
    assert answer.status == 404
    expect(here.page.locator(".lead")).to_contain_text("NOPE")


def test_forms_say_what_was_wrong_beside_the_field(visit: Visiting) -> None:
    here = visit()
    here.forgive("422")
    page = here.page
    page.goto("/register/")
    page.get_by_label("Name", exact=True).fill("al")
    page.get_by_label("Password", exact=True).fill(people.PASSWORD)
    page.get_by_label("Password again").fill("something else")
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("alert")).to_have_text("The two passwords differ.")
    expect(page.get_by_label("Name", exact=True)).to_have_value("al")
    page.get_by_label("Password", exact=True).fill(people.PASSWORD)
    page.get_by_label("Password again").fill(people.PASSWORD)
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("alert")).to_contain_text("3 to 24")
    page.goto("/login/")
    page.get_by_label("Name", exact=True).fill("nobody-of-this-name")
    page.get_by_label("Password", exact=True).fill("wrong")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Name and password")


def test_chinese_pages_are_chinese_and_red_rises(visit: Visiting) -> None:
    page = visit(locale="zh-CN").page
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.locator("html")).to_have_attribute("data-updown", "red-up")
    page.locator(".l-go .btn").click()
    people.live(page)
    expect(page.locator("#t-positions")).to_contain_text("持仓")
    page.locator("#f-qty").fill("100")
    expect(page.locator("#submit")).to_contain_text("买入")
    page.locator("form.lang button").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("#t-positions")).to_contain_text("Positions")


def test_the_look_is_kept(visit: Visiting) -> None:
    page = visit().page
    people.play_now(page)
    page.locator("[data-theme-toggle]").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.goto("/settings/")
    page.get_by_label("blue").check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("html")).to_have_attribute("data-updown", "blue-up")


def test_a_key_is_made_shown_once_and_revoked(visit: Visiting) -> None:
    page = visit().page
    people.play_now(page)
    page.goto("/settings/")
    page.get_by_role("button", name="Make a key").click()
    expect(page.locator("#new-key")).to_contain_text(re.compile(r"APCA-API-SECRET-KEY: \S{20,}"))
    page.goto("/settings/")
    expect(page.locator("#new-key")).to_have_count(0)
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("button", name="Revoke")).to_have_count(0)


def test_without_the_chart_library_the_page_still_trades(visit: Visiting) -> None:
    here = visit(service_workers="block")  # a worker's requests would go past `route`
    here.forgive("ERR_FAILED", "chart did not load")
    page = here.page
    page.route(re.compile(r"/(chart-\w+\.js|lightweight-charts)"), lambda route: route.abort())
    people.play_now(page)
    expect(page.locator("#chart .note").first).to_contain_text("Chart unavailable")
    people.buy_at_market(page)
    expect(page.locator('[data-count="positions"]')).to_have_text("1")


HAPPENED = {"desk-halted": VOLATILITY_HALT, "desk-closed": "Market closed", "desk-lost": "s old"}


@pytest.mark.skipif(not AXE.is_file(), reason=f"axe-core is not installed: {AXE} (npm, ops/frontend)")
def test_a_halt_a_closed_market_and_a_lost_network_are_said_and_axe_finds_nothing(visit: Visiting) -> None:
    """The pictures of `manage.py screenshots` show them so; the page is packed, as players get it."""
    visited = visit()
    visited.forgive("ERR_INTERNET_DISCONNECTED")
    page, seen, found = visited.page, [], {}
    page.goto("/")
    people.play_now(page)
    for state in pictures.told(page, False):
        seen.append(state)
        if state in HAPPENED:
            expect(page.get_by_text(HAPPENED[state]).first).to_be_visible()
            found[state] = findings(page)
    assert seen == [*HAPPENED, "desk-menu"]
    assert found == {state: [] for state in HAPPENED}


def test_pictures_of_the_admin_ask_first_whether_it_opens(visit: Visiting) -> None:
    visited = visit()
    visited.forgive("status of 422")  # a form that is refused
    with pytest.raises(pictures_staff.NotStaff):
        pictures_staff.sign_in(visited.page, "nobody", "dry-lake-47")
