"""The player's loop in a real browser: register, watch, trade, lose the network, cancel."""

from __future__ import annotations

import re
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import expect

from tests.browser import people
from tests.browser.conftest import Visiting
from tests.live import LiveGame

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SOMETHING_MOVED = """(before) => {
  const now = [...document.querySelectorAll('.wl .p')].map((node) => node.textContent).join();
  return now !== before;
}"""
NO_SOCKETS = """window.WebSocket = class {
  constructor() { setTimeout(() => this.onclose?.({code: 1006}), 5); }
  close() {}
}"""
ALL_PRICES = "() => [...document.querySelectorAll('.wl .p')].map((node) => node.textContent).join()"


def test_alice_registers_sees_the_price_move_and_buys(visit: Visiting) -> None:
    page = visit().page
    name = people.register(page)
    assert people.figure(page, ".top [data-equity]") == 1_000_000.00

    page.wait_for_function(SOMETHING_MOVED, arg=page.evaluate(ALL_PRICES))

    people.buy_at_market(page, "300")
    expect(page.locator('[data-count="positions"]')).to_have_text("1")
    page.locator("#t-positions").click()
    row = page.locator("#positions tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("300")
    page.wait_for_function("document.querySelector('.top [data-equity]').textContent !== '1,000,000.00'")
    foot = page.locator("#positions tfoot td").first.inner_text()
    cash = float(re.search(r"cash ([\d,.]+\d)", foot)[1].replace(",", ""))
    value = people.figure(page, "#positions tfoot .tot")
    assert cash < 1_000_000
    assert 999_000 < cash + value < 1_001_000

    page.locator("#t-fills").click()
    page.locator("#fills tbody tr").first.click()
    drawer = page.locator("#drawer")
    expect(drawer.get_by_role("heading", name=re.compile("Bought 300"))).to_be_visible()
    for part in ("Quote used", "Levels walked", "Rule that bound", "Money", "Cash paid"):
        expect(drawer).to_contain_text(part)
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()

    page.reload()
    people.live(page)
    expect(page.locator('[data-count="positions"]')).to_have_text("1")
    page.locator(".top summary").click()
    expect(page.locator(".menu p")).to_have_text(name)


def test_she_cancels_an_order_that_rests(visit: Visiting) -> None:
    page = visit().page
    people.play_now(page)
    people.rest_an_order(page)
    row = page.locator("#orders tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("resting")
    assert people.figure(page, "#orders tbody td:nth-child(8)") > 0, "its cash is reserved"

    row.get_by_role("button", name="Cancel").click()
    expect(row).to_have_count(0)
    expect(page.locator("#panel .empty")).to_contain_text("No order is waiting")
    page.locator("#t-history").click()
    expect(page.locator("#history tbody tr")).to_contain_text("cancelled")


def test_she_changes_an_order_that_rests(visit: Visiting) -> None:
    page = visit().page
    people.play_now(page)
    people.rest_an_order(page, "200")
    row = page.locator("#orders tbody tr")
    row.get_by_role("button", name="Change").click()
    row.get_by_label("Quantity").fill("500")
    row.get_by_role("button", name="Send").click()
    expect(row.locator("td").nth(3)).to_have_text("500")
    expect(page.locator('[data-count="orders"]')).to_have_text("1")


def test_she_protects_what_she_buys_and_closes_half_of_it(visit: Visiting) -> None:
    page = visit().page
    people.play_now(page)
    price = float(people.low_price(page))
    page.locator("#legs summary").click()
    page.locator("#f-profit").fill(f"{price * 1.08:.2f}")
    page.locator("#f-loss").fill(f"{price * 0.97:.2f}")
    people.ticket(page, "Buy", "400")
    expect(page.locator("#outcome .verdict")).to_contain_text("What it buys is offered at")
    people.send(page)
    page.locator("#t-orders").click()
    legs = page.locator("#orders tbody tr.leg")
    expect(legs).to_have_count(2)
    expect(legs.first).to_contain_text("take profit, resting")
    expect(legs.last).to_contain_text("stop loss, beside its take profit")

    people.buy_at_market(page, "200")  # the other 400 are on offer
    page.locator("#t-positions").click()
    page.locator("#positions").get_by_role("button", name="Close it").click()
    page.locator("#positions").get_by_role("button", name="25%").click()
    expect(page.locator("#positions tbody tr")).to_contain_text("500")  # a quarter, rounded down to the lot


def test_her_stop_waits_and_a_passed_one_is_refused(visit: Visiting) -> None:
    page = visit().page
    people.play_now(page)
    people.buy_at_market(page, "200")
    price = float(people.low_price(page))
    page.locator("#ticket .s-sell").click()
    page.locator("[data-type=stop]").click()
    page.locator("#f-stop").fill(f"{price * 1.09:.2f}")
    page.locator("#f-qty").fill("200")
    expect(page.locator("#outcome .refuse")).to_contain_text("must be below the last price")
    expect(page.locator('[data-field="stop_price"]')).to_have_class(re.compile("bad"))
    page.locator("#f-stop").fill(f"{price * 0.97:.2f}")
    expect(page.locator("#outcome .verdict")).to_contain_text("then sells at the market")
    people.send(page)
    page.locator("#t-orders").click()
    expect(page.locator("#orders tbody tr")).to_contain_text("waits for its stop")


def test_she_loses_the_network_and_gets_it_back(visit: Visiting, live_game: LiveGame) -> None:
    here = visit()
    here.forgive("ERR_INTERNET_DISCONNECTED", "WebSocket")
    page = here.page
    people.play_now(page)
    people.rest_an_order(page)
    cookies = {cookie["name"]: cookie["value"] for cookie in here.context.cookies()}

    here.context.set_offline(True)
    badge = page.locator("#badge")
    expect(badge).to_have_attribute("data-state", "lost")
    page.locator("#f-qty").fill("100")
    expect(page.locator("#submit")).to_be_disabled()
    expect(page.locator("#off-why")).to_contain_text("The connection is lost")

    cancel_all_elsewhere(live_game, cookies)
    expect(page.locator("#orders tbody tr")).to_have_count(1)  # the page cannot know yet

    here.context.set_offline(False)
    expect(badge).to_have_attribute("data-state", "live")
    expect(page.locator("#orders tbody tr")).to_have_count(0)
    expect(page.locator('[data-count="history"]')).to_have_text("1")
    expect(page.locator("#submit")).to_be_enabled()


def cancel_all_elsewhere(game: LiveGame, cookies: dict[str, str]) -> None:
    """The same player on another device."""
    request = Request(
        f"{game.address}/v2/orders",
        method="DELETE",
        headers={
            "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
            "X-CSRFToken": cookies["csrftoken"],
            "Origin": game.address,
        },
    )
    with urlopen(request, timeout=10) as answer:
        assert answer.status == 207


def test_the_page_survives_the_death_of_the_web_process(visit: Visiting, live_game: LiveGame) -> None:
    here = visit()
    here.forgive("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "WebSocket")
    page = here.page
    people.play_now(page)
    live_game.kill("simgame.asgi:application")
    expect(page.locator("#badge")).not_to_have_attribute("data-state", "live")
    expect(page.locator("#badge")).to_have_attribute("data-state", "live", timeout=60_000)
    people.buy_at_market(page)
    expect(page.locator('[data-count="positions"]')).to_have_text("1")


def test_without_a_socket_the_same_rows_are_polled(visit: Visiting) -> None:
    here = visit()
    here.forgive("WebSocket")
    page = here.page
    page.add_init_script(NO_SOCKETS)
    page.goto("/")
    page.get_by_role("button", name="Play now").click()
    page.wait_for_url(re.compile(r"/desk/"))
    expect(page.locator("#badge")).to_have_attribute("data-state", "polling")
    page.wait_for_function(SOMETHING_MOVED, arg=page.evaluate(ALL_PRICES))
    people.buy_at_market(page)
    expect(page.locator('[data-count="positions"]')).to_have_text("1")
    expect(page.locator("#depth .rw").first).to_contain_text(re.compile(r"\d"))


def test_a_refused_order_names_the_nearest_one_that_passes(visit: Visiting) -> None:
    page = visit().page
    people.play_now(page)
    people.buy_at_market(page, "200")
    expect(page.locator('[data-count="positions"]')).to_have_text("1")
    people.ticket(page, "Sell", "900")
    refusal = page.get_by_role("alert")
    expect(refusal).to_contain_text("You can sell 200")
    expect(refusal).to_contain_text("Free to sell")
    expect(page.locator("#f-qty")).to_have_value("900")
    expect(page.locator("#submit")).to_contain_text("Sell 200")
    people.send(page)
    expect(page.locator('[data-count="positions"]')).to_have_text("0")


def test_a_guest_keeps_the_account_with_everything_in_it(visit: Visiting) -> None:
    page = visit().page
    people.play_now(page)
    people.buy_at_market(page, "100")
    expect(page.locator('[data-count="positions"]')).to_have_text("1")

    page.locator(".top summary").click()
    page.get_by_role("link", name="Keep this account").click()
    name = people.new_name()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password", exact=True).fill(people.PASSWORD)
    page.get_by_label("Password again").fill(people.PASSWORD)
    page.get_by_role("button", name="Keep it").click()
    people.live(page)

    page.locator(".top summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password", exact=True).fill(people.PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    people.live(page)
    expect(page.locator('[data-count="positions"]')).to_have_text("1")


def test_a_keyboard_is_enough(visit: Visiting) -> None:
    page = visit().page
    people.play_now(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Send the order")
    page.keyboard.press("Escape")
    before = page.locator("#instrument h1").inner_text()
    page.keyboard.press("j")
    expect(page.locator("#instrument h1")).not_to_have_text(before)
    page.keyboard.press("b")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#f-qty")).to_have_value("100")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#t-fills, #t-orders").locator("span").filter(has_text="1")).to_have_count(1)


def test_a_phone_trades(visit: Visiting) -> None:
    page = visit(phone=True).page
    people.play_now(page)
    page.locator(".go-b").click()
    page.locator("#f-qty").fill("100")
    expect(page.locator("#outcome .verdict")).to_contain_text(re.compile("at once|rest"))
    people.send(page)
    expect(page.locator("#ticket")).to_be_hidden()
    page.locator(".p-nav").get_by_role("button", name="Orders").click()
    expect(page.locator("#panel tbody tr").first).to_be_visible()
