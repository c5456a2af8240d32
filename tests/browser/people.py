"""What people do on the pages, in their words."""

from __future__ import annotations

import itertools
import re

from playwright.sync_api import Page, expect

PASSWORD = "four-calm-otters"
_names = itertools.count(1)


def new_name() -> str:
    return f"alice{next(_names)}"


def register(page: Page) -> str:
    name = new_name()
    page.goto("/register/")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_role("button", name="Register").click()
    live(page)
    return name


def play_now(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Play now").click()
    live(page)


def live(page: Page) -> None:
    page.wait_for_url(re.compile(r"/desk/"))
    expect(page.locator("#badge")).to_have_attribute("data-state", "live")


def ticket(page: Page, side: str, qty: str, price: str = "") -> None:
    page.locator("#ticket .seg").get_by_role("button", name=side).click()
    if price:
        page.locator("[data-type=limit]").click()
        page.locator("#f-price").fill(price)
    else:
        page.locator("[data-type=market]").click()
    page.locator("#f-qty").fill(qty)


def send(page: Page) -> None:
    button = page.locator("#submit")
    expect(button).to_be_enabled()
    button.click()


def buy_at_market(page: Page, qty: str = "100") -> None:
    ticket(page, "Buy", qty)
    expect(page.locator("#outcome .verdict")).to_contain_text("at once")
    send(page)


def low_price(page: Page) -> str:
    """A price well below the market, inside the day's limits."""
    bid = page.locator(".ticket [data-touch=bid]")
    expect(bid).to_have_text(re.compile(r"\d"))
    number = float(re.sub(r"[^\d.]", "", bid.inner_text()))
    return f"{number * 0.96:.2f}"


def rest_an_order(page: Page, qty: str = "200") -> None:
    ticket(page, "Buy", qty, low_price(page))
    expect(page.locator("#outcome .verdict")).to_contain_text("Would rest")
    send(page)
    expect(page.locator("#orders tbody tr")).to_have_count(1)


def count(page: Page, tab: str) -> str:
    return page.locator(f'[data-count="{tab}"]').inner_text()


def figure(page: Page, selector: str) -> float:
    return float(re.sub(r"[^\d.\-]", "", page.locator(selector).first.inner_text().replace("−", "-")))
