"""What a player has beside the ticket: one click, undo, dragging, indicators, lists, alerts, notes, games."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import FloatRect, Page, expect

from tests.browser import people
from tests.browser.conftest import Visiting

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_one_click_sends_and_undo_takes_it_back(visit: Visiting) -> None:
    page = visit().page
    people.play_now(page)
    page.locator("#f-qty").fill("200")
    page.locator("#one-click").check()
    bid = page.locator("#depth .pr[data-side=buy]").nth(4)
    expect(bid).to_have_text(re.compile(r"\d"))
    bid.click()
    expect(page.locator("#orders tbody tr")).to_have_count(1)
    page.locator("#toast button").click()
    expect(page.locator("#orders tbody tr")).to_have_count(0)
    expect(page.locator("#f-qty")).to_have_value("200")


def test_percent_of_what_is_possible(visit: Visiting) -> None:
    page = visit().page
    people.play_now(page)
    expect(page.locator("[data-max]")).to_have_text(re.compile(r"\d"))
    page.locator("[data-unit=percent]").click()
    page.locator("#f-qty").fill("10")
    expect(page.locator("#submit")).to_have_text(re.compile(r"Buy [\d,]+00 "))


def upon_the_line(page: Page, box: FloatRect) -> float:
    """Moves the pointer upon the only order, wherever the chart has its line by now: it shows the hand."""
    hand = page.locator("#chart .canvas.grip")
    for _ in range(50):
        page.wait_for_function("document.querySelector('#chart').dataset.lines")
        y = box["y"] + float(page.locator("#chart").get_attribute("data-lines") or "")
        page.mouse.move(box["x"] + 290, y)
        page.mouse.move(box["x"] + 300, y)
        page.evaluate("() => new Promise((seen) => requestAnimationFrame(() => requestAnimationFrame(seen)))")
        if hand.count():
            return y
    raise AssertionError("The chart never showed that its order can be taken.")


def test_an_order_is_dragged_to_another_price(visit: Visiting) -> None:
    page = visit().page
    people.play_now(page)
    people.rest_an_order(page)
    row = page.locator("#orders tbody td:nth-child(6)")
    before = row.inner_text()
    page.locator('#intervals button[value="1d"]').click()  # its range holds the order's price
    box = page.locator("#chart .canvas").bounding_box()
    assert box is not None
    y = upon_the_line(page, box)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, y + 12, steps=4)
    page.mouse.up()
    expect(row).not_to_have_text(before)
    expect(page.locator("#toast")).to_contain_text("Changed")
    page.locator("#toast button").click()
    expect(row).to_have_text(before)


def test_indicators_lists_alerts_and_notes_are_kept(visit: Visiting) -> None:
    page = visit().page
    people.play_now(page)
    page.locator(".stu summary").click()
    page.get_by_role("button", name="Moving average").click()
    page.keyboard.press("Escape")
    expect(page.locator("#chart .ohlc")).to_contain_text("MA 20")
    page.locator("#watch-it").click()
    expect(page.locator("#list")).to_be_visible()
    page.locator("#alert").click()
    page.locator("#f-alert").fill("0.01")
    page.get_by_role("button", name="Tell me", exact=True).click()
    expect(page.locator("#sheet li")).to_contain_text("or below")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.locator("#f-note").fill("A quiet morning. #calm")
    page.get_by_role("button", name="Keep the note").click()
    page.reload()
    people.live(page)
    expect(page.locator("#chart .ohlc")).to_contain_text("MA 20")
    expect(page.locator("#watch-it")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#alert")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("g")
    expect(page.locator("#notes tbody tr")).to_contain_text("A quiet morning")
    page.goto("/journal/?tag=calm")
    expect(page.locator(".note")).to_have_count(1)
    page.goto("/journal/?q=nothing-of-this")
    expect(page.locator(".note")).to_have_count(0)


def test_a_refusal_says_the_rule_and_where_it_is_explained(visit: Visiting) -> None:
    here = visit()
    here.forgive("422")
    page = here.page
    people.play_now(page)
    people.ticket(page, "Buy", "150", people.low_price(page))
    expect(page.locator(".refuse .say")).to_contain_text("multiple of 100")
    expect(page.locator(".refuse .rule-l")).to_contain_text("own lot")
    expect(page.locator("#submit")).to_contain_text("Buy 100 ")
    page.locator("#f-qty").fill("100")
    page.locator("#f-price").fill(people.low_price(page) + "7")
    expect(page.locator("#off-why")).to_contain_text("nearest order")
    page.locator(".refuse .lnk").click()
    page.wait_for_url(re.compile("/help/#"))


def test_receipts_have_a_page_of_their_own(visit: Visiting) -> None:
    page = visit().page
    people.play_now(page)
    people.buy_at_market(page)
    expect(page.locator('[data-count="positions"]')).to_have_text("1")
    page.goto("/orders/?show=fills")
    page.get_by_role("button", name="Receipt").first.click()
    expect(page.locator("#drawer .dr-say")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#drawer")).to_be_hidden()
    page.goto("/portfolio/")
    expect(page.get_by_role("region", name="Results by instrument").locator("tbody tr")).to_have_count(1)


def test_a_host_starts_a_private_game_and_a_friend_plays_in_it(visit: Visiting) -> None:
    host, friend = visit().page, visit().page
    people.register(host)
    host.goto("/games/")
    host.get_by_label("Name", exact=True).fill("Class 4b")
    host.get_by_label("Begins with").fill("50000")
    host.get_by_role("button", name="Make the game").click()
    link = host.locator("#invite").inner_text()
    people.register(friend)
    friend.goto(link)
    friend.get_by_role("button", name="Join").click()
    expect(friend.locator("tbody tr", has_text="Class 4b")).to_contain_text("waits for its host")
    host.get_by_role("button", name="Start").click()
    expect(host.locator("h1 + p")).to_have_text("running")
    friend.reload()
    friend.locator("tbody tr", has_text="Class 4b").get_by_role("button").click()
    people.live(friend)
    expect(friend.locator(".top [data-equity]")).to_have_text("50,000.00")
    people.buy_at_market(friend)
    expect(friend.locator('[data-count="positions"]')).to_have_text("1")
    host.get_by_role("button", name="Pause").click()
    expect(host.locator("h1 + p")).to_contain_text("paused")
    expect(friend.locator("#off-why")).to_contain_text("frozen")
