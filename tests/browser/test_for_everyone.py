"""Who has no mouse, cannot see, cannot bear motion, sees no red or green, or wants an app: real Chromium."""

from __future__ import annotations

import itertools
import json
import re
from urllib.parse import urljoin
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page, expect

from tests.browser import people
from tests.browser.conftest import Visiting
from tests.live import LiveGame

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STOPS_MAX = 150  # of the Tab key on the desk: each instrument is one
SHOWN = """() => {
  const one = document.activeElement;
  if (one === document.body) return true; // after the last stop the browser's own controls have it
  const box = one.getBoundingClientRect();
  const drawn = [one, one.parentElement, one.closest(".fld, label")]
    .filter(Boolean)
    .map((node) => getComputedStyle(node))
    .some((style) => style.outlineStyle !== "none" || style.boxShadow !== "none");
  return drawn && one.checkVisibility() && box.bottom > 0 && box.top < innerHeight;
}"""
MOVING = """() => {
  const still = ({ animationName, transitionDuration }) =>
    animationName === "none" && transitionDuration.split(",").every((one) => parseFloat(one) === 0);
  const parts = [null, "::before", "::after"];
  const named = [...document.querySelectorAll("*")].flatMap((node) =>
    parts.filter((part) => !still(getComputedStyle(node, part))).map((part) => `${node.className} ${part}`));
  return named.concat(document.getAnimations().map((one) => one.animationName ?? "a script's"));
}"""
LISTEN = """() => {
  window.said = [];
  const quiet = "[aria-hidden=true], [aria-live=off]", loud = "[role=status], [role=alert], [aria-live]";
  new MutationObserver((seen) => seen.forEach(({ target }) => {
    const node = target.nodeType === 1 ? target : target.parentElement;
    const region = node.closest(quiet) ? null : node.closest(loud);
    if (region) window.said.push(`${region.id || region.className}: ${region.textContent}`);
  })).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""
CONTRAST = """() => {
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const look = (name) => {
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = `var(${name})`;
    paint.fillStyle = getComputedStyle(probe).color;
    probe.remove();
    paint.fillRect(0, 0, 1, 1);
    const part = (n) => ((n /= 255) <= 0.03928 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4);
    const [red, green, blue] = [...paint.getImageData(0, 0, 1, 1).data].map(part);
    return { light: 0.2126 * red + 0.7152 * green + 0.0722 * blue, bluer: blue > red };
  };
  const [plane, up, down] = ["--plane", "--up", "--down"].map(look);
  const ratio = ({ light }) =>
    (Math.max(light, plane.light) + 0.05) / (Math.min(light, plane.light) + 0.05);
  return { least: Math.min(ratio(up), ratio(down)), apart: up.bluer !== down.bluer };
}"""


def tab_to(page: Page, wanted: str) -> int:
    """Press Tab until the focus is there; how often. Wherever it stops, one can see where that is."""
    for stops in itertools.count(1):
        assert stops <= STOPS_MAX, f"the Tab key does not come to {wanted}"
        page.keyboard.press("Tab")
        where = "document.activeElement.id || document.activeElement.outerHTML.slice(0, 120)"
        assert page.evaluate(SHOWN), page.evaluate(where)
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", wanted):
            return stops
    raise AssertionError


def test_she_buys_reads_and_signs_out_with_the_tab_key_alone(visit: Visiting) -> None:
    page = visit().page
    page.goto("/")
    tab_to(page, ".l-go .btn")
    page.keyboard.press("Enter")
    people.live(page)
    tab_to(page, "[data-type=market]")
    page.keyboard.press("Space")
    tab_to(page, "#f-qty")
    page.keyboard.type("200")
    expect(page.locator("#outcome .verdict")).to_contain_text("at once")
    tab_to(page, "#submit")
    page.keyboard.press("Enter")
    expect(page.locator('[data-count="positions"]')).to_have_text("1")
    expect(page.locator("#toast")).to_contain_text(re.compile("Bought 200"))  # it is a status: it is read out
    expect(page.locator("#toast")).to_have_attribute("role", "status")
    tab_to(page, ".top summary")  # on from the foot of the page to its head: no trap
    page.keyboard.press("Enter")
    tab_to(page, ".menu [action='/logout/'] button, .menu form button")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()


def test_nothing_that_ticks_is_read_out(visit: Visiting) -> None:
    page = visit().page
    people.play_now(page)
    page.evaluate(LISTEN)
    prices = "() => [...document.querySelectorAll('.wl .p')].map((node) => node.textContent).join()"
    for _ in range(8):
        page.wait_for_function(f"(before) => ({prices})() !== before", arg=page.evaluate(prices))
    assert page.evaluate("window.said") == []


@pytest.mark.parametrize("phone", [False, True])
def test_who_cannot_bear_motion_sees_none(visit: Visiting, phone: bool) -> None:
    page = visit(phone=phone).page
    people.play_now(page)
    page.locator(".go-b" if phone else "[data-type=market]").click()
    people.ticket(page, "Buy", "100")
    assert page.evaluate(MOVING) == []
    other = visit(phone=phone, reduced_motion="no-preference").page
    people.play_now(other)
    assert other.evaluate(MOVING) != [], "the others see some"


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_up_and_down_are_told_apart_in_every_scheme(visit: Visiting, theme: str) -> None:
    """Against the ground at least 4.5 to 1; of the pair for who sees no red or green one is blue."""
    page = visit(color_scheme=theme).page
    page.goto("/")
    for scheme in ("green-up", "red-up", "blue-up"):
        page.evaluate("(scheme) => (document.documentElement.dataset.updown = scheme)", scheme)
        seen = page.evaluate(CONTRAST)
        assert seen["least"] >= 4.5, (scheme, seen)
        assert seen["apart"] or scheme != "blue-up"


def test_the_game_can_be_installed(visit: Visiting, live_game: LiveGame) -> None:
    here = visit()
    people.play_now(here.page)
    told = here.context.new_cdp_session(here.page)
    manifest = told.send("Page.getAppManifest")
    assert manifest["errors"] == []
    facts = json.loads(manifest["data"])
    for icon in facts["icons"]:
        address = urljoin(manifest["url"], icon["src"])
        with urlopen(address, timeout=10) as answer:
            assert (answer.status, answer.headers["Content-Type"]) == (200, icon["type"]), address
    sizes = {icon["sizes"] for icon in facts["icons"]}
    assert {"any", "192x192", "512x512"} <= sizes
    assert (
        here.page.evaluate("navigator.serviceWorker.ready.then((one) => new URL(one.scope).pathname)") == "/"
    )
    refused = {
        error["errorId"] for error in told.send("Page.getInstallabilityErrors")["installabilityErrors"]
    }
    assert refused <= {"in-incognito"}, refused  # a test's window keeps nothing
    answer = here.page.goto(urljoin(live_game.address, facts["start_url"]))
    assert answer is not None and answer.ok
