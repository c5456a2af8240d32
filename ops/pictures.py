"""Pictures of every page of a running game, made by a real Chromium: dark and light, wide and phone.

A guest plays on the way: buys, lets an order rest, is refused, opens a receipt, keeps the account, hosts a
game. What a market does not do on demand (a halt, the end of the day) is put into the stream on its way to
the open page, and the browser's network is cut. A tour is one language, width and theme; it has chapters,
and what goes wrong in one does not end the others. Playwright is a development dependency; nothing of the
running game imports this module.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Error, Page, Playwright, WebSocketRoute, expect, sync_playwright

from market.rulebook.rules import VOLATILITY_HALT
from ops import pictures_staff

__all__ = ["Album", "Error", "Tour", "take", "told"]

WIDE: Final = {"viewport": {"width": 1440, "height": 900}}
PHONE: Final = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
SIZES: Final = {"wide": WIDE, "phone": PHONE}
THEMES: Final = ("dark", "light")
LANGUAGES: Final = {"en": "en", "zh": "zh-CN"}  # name in the file, locale of the browser
PAGES: Final = {
    "portfolio": "/portfolio/",
    "orders": "/orders/",
    "journal": "/journal/",
    "games": "/games/",
    "status": "/status/",
    "settings": "/settings/",
    "help": "/help/",
    "standings": "/standings/",
}
SWITCHES: Final = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SETTLE_MS: Final = 1_200  # the first ticks, the chart
OPENS_AFTER: Final = timedelta(hours=14, minutes=24)  # a closed market
STILL_MS: Final = 250  # a page that stands
FITTING: Final = ("desk", "ticket", "receipt")  # they scroll inside; other pictures are as long as their page
PATIENCE_MS: Final = 30_000


Chapter = Callable[[Page, bool], Iterator[str]]  # (page, phone) → the names of what stands on it now


@dataclass(frozen=True)
class Tour:
    language: str  # of LANGUAGES
    size: str  # of SIZES
    theme: str  # of THEMES

    @property
    def ending(self) -> str:
        """Of the names of its files: `dark`, `phone-light`, `zh-phone-dark`."""
        parts = [self.language if self.language != "en" else "", self.size if self.size != "wide" else ""]
        return "-".join([*filter(None, parts), self.theme])


class Between:
    """Stands between a page and the stream: the page hears of a halt or a closed market that there is not."""

    def __init__(self, page: Page):
        self._symbol = ""  # that the page shows
        self._halts: dict[str, Any] = {}  # the position of their topic
        self._closed = False
        self._socket: WebSocketRoute | None = None
        page.route_web_socket("**/ws/v1", self._stand)

    def halt(self) -> None:
        self._say_halts({self._symbol: VOLATILITY_HALT})

    def close_market(self) -> None:
        """From the next phase on, which comes within a second."""
        self._closed = True
        self._say_halts({})

    def open_market(self) -> None:
        self._closed = False

    def _stand(self, socket: WebSocketRoute) -> None:
        self._socket, server = socket, socket.connect_to_server()

        def asked(said: str | bytes) -> None:
            for wanted in json.loads(said).get("topics", ()):
                kind, *_, symbol = wanted["topic"].split(":")
                self._symbol = symbol if kind == "depth" else self._symbol
            server.send(said)

        socket.on_message(asked)
        server.on_message(lambda said: socket.send(json.dumps(self._heard(json.loads(said)))))

    def _heard(self, said: Any) -> Any:
        if isinstance(said, list):
            return [self._heard(one) for one in said]
        for told in said.get("results", [said]):
            kind = told.get("topic", "").partition(":")[0]
            row = told.get("data") or told.get("snapshot")
            if kind == "halts":
                self._halts = {name: told[name] for name in ("topic", "epoch", "offset")}
            if kind == "phase" and row and self._closed:
                opens = datetime.fromisoformat(row["now"]) + OPENS_AFTER
                row |= {"phase": "closed", "next_phase": "pre_open", "next_change": opens.isoformat()}
        return said

    def _say_halts(self, halts: dict[str, str]) -> None:
        assert self._socket is not None
        self._halts["offset"] += 1
        self._socket.send(json.dumps({**self._halts, "data": {"halts": halts}}))


@dataclass
class Album:
    folder: Path
    say: Callable[[str], None]  # hears each name
    made: list[Path] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)  # what is not in it, and why

    def mark(self, tour: Tour) -> Path:
        """A file that stands when a tour went without a miss."""
        return self.folder / f".{tour.ending}.done"

    def add(self, page: Page, name: str, tour: Tour) -> None:
        path = self.folder / f"{name}-{tour.ending}.png"
        page.screenshot(path=path, full_page=not name.startswith(FITTING))
        self.made.append(path)
        self.say(path.name)

    def miss(self, tour: Tour, chapter: str, why: Exception) -> None:
        words = str(why).strip().splitlines() or [type(why).__name__]
        self.missed.append(f"{tour.ending}, {chapter}: {words[0]}")
        self.say(f"missed: {self.missed[-1]}")


def take(
    address: str,
    chromium: str,
    tours: Sequence[Tour],
    album: Album,
    *,
    resume: bool = False,
    staff: tuple[str, str] | None = None,
) -> None:
    """Make every picture. `resume`: leave out the tours that went well before. `staff`: name and password
    of an operator, whose pages are pictured too. Raises pictures_staff.NotStaff."""
    album.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        if staff:  # said now, not after the first tour
            with _window(playwright, chromium, address, tours[0]) as page:
                pictures_staff.sign_in(page, *staff)
        for tour in tours:
            if resume and album.mark(tour).exists():
                continue
            album.mark(tour).unlink(missing_ok=True)
            before = len(album.missed)
            try:
                with _window(playwright, chromium, address, tour) as page:
                    _chapters(page, tour, album, staff)
            except Error as why:  # the browser itself
                album.miss(tour, "the browser", why)
            if len(album.missed) == before:
                album.mark(tour).touch()


def _chapters(page: Page, tour: Tour, album: Album, staff: tuple[str, str] | None) -> None:
    chapters: dict[str, Chapter] = {
        "outside": _outside,
        "play": _play,
        "desk": _desk,
        "told": told,
        **{name: _page(name, path) for name, path in PAGES.items()},
        "host": _host,
    }
    if staff and tour.language == "en":  # the admin speaks English only
        chapters["staff"] = pictures_staff.tour(*staff, _open)
    for chapter, walk in chapters.items():
        try:
            for name in walk(page, tour.size == "phone"):
                album.add(page, name, tour)
        except (Error, AssertionError) as why:  # an expectation of playwright is the latter
            album.miss(tour, chapter, why)
            if chapter == "play" or page.is_closed():
                return  # the rest needs a player
            page.context.set_offline(False)


@contextmanager
def _window(playwright: Playwright, chromium: str, address: str, tour: Tour) -> Iterator[Page]:
    browser = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
    try:
        context = browser.new_context(
            base_url=address,
            reduced_motion="reduce",
            color_scheme=tour.theme,
            locale=LANGUAGES[tour.language],
            **SIZES[tour.size],
        )
        context.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        yield context.new_page()
    finally:
        browser.close()


def _outside(page: Page, _phone: bool) -> Iterator[str]:
    for name, path in {"login": "/login/", "register": "/register/", "landing": "/"}.items():
        _open(page, path)
        if name == "landing":
            page.wait_for_timeout(SETTLE_MS)
        yield name


def _play(page: Page, _phone: bool) -> Iterator[str]:
    _open(page, "/")
    page.locator(".l-go .btn").click()
    page.wait_for_url(re.compile("/desk/"))
    expect(page.locator("#badge")).to_have_attribute("data-state", "live")
    page.wait_for_timeout(SETTLE_MS)
    yield "desk-empty"


def _desk(page: Page, phone: bool) -> Iterator[str]:
    yield from (_phone_desk(page) if phone else _wide_desk(page))


def _page(name: str, path: str) -> Chapter:
    def walk(page: Page, _phone: bool) -> Iterator[str]:
        _open(page, path)
        yield name

    return walk


def _open(page: Page, path: str) -> None:
    """A page that stands: fonts are there, and the stream where it has one."""
    page.goto(path)
    page.evaluate("() => document.fonts.ready")
    if page.locator("#badge").count():
        expect(page.locator("#badge")).to_have_attribute("data-state", "live")
        page.wait_for_timeout(STILL_MS)
    page.wait_for_timeout(STILL_MS)


def told(page: Page, _phone: bool) -> Iterator[str]:
    """The desk in the states that nobody wants: of a page that shows a player's desk when it is opened."""
    between = Between(page)
    _open(page, "/desk/")
    between.halt()
    page.wait_for_timeout(SETTLE_MS)
    yield "desk-halted"
    between.close_market()
    page.wait_for_timeout(SETTLE_MS)
    yield "desk-closed"
    page.context.set_offline(True)
    expect(page.locator("#badge")).to_have_attribute("data-state", "lost")
    yield "desk-lost"
    page.context.set_offline(False)
    between.open_market()
    _open(page, "/desk/")
    page.locator(".menu:has(.avatar) summary").click()
    yield "desk-menu"


def _host(page: Page, _phone: bool) -> Iterator[str]:
    """The guest keeps the account and hosts a game."""
    _open(page, "/keep/")
    yield "keep"
    name, password = f"player_{secrets.token_hex(3)}", secrets.token_urlsafe(12)
    page.locator("[name=username]").fill(name)
    for asked in page.locator("[type=password]").all():
        asked.fill(password)
    page.locator("main .btn").click()
    page.wait_for_url(re.compile("/desk/|/portfolio/"))
    _open(page, "/games/")
    page.locator(".form [name=name]").fill(f"Class {name[-3:]}")
    page.locator(".form .btn").click()
    page.wait_for_url(re.compile("/host/"))
    _open(page, page.url)
    yield "host"
    _open(page, page.locator("#invite").inner_text())
    yield "join"


def _wide_desk(page: Page) -> Iterator[str]:
    page.keyboard.press("/")
    page.keyboard.type("bank")
    page.wait_for_timeout(STILL_MS)
    yield "desk-search"
    page.keyboard.press("Escape")
    page.locator("#search").fill("")
    _trade(page)
    page.locator("#t-positions").click()
    _ask(page, "buy", "500", _below(page, 0.002))
    yield "desk"
    page.locator("#t-fills").click()
    page.locator("#fills tbody tr").first.click()
    expect(page.locator("#drawer .dr-say")).to_be_visible()
    _ask(page, "sell", "9000", "")
    yield "receipt"
    page.keyboard.press("Escape")
    yield from _tools(page)
    _open(page, f"/instruments/{page.locator('#instrument h1').inner_text()}/")
    page.wait_for_timeout(SETTLE_MS)
    yield "instrument"


def _tools(page: Page) -> Iterator[str]:
    """Indicators, the refusal that stands since the receipt, an alert, a note, the keys."""
    page.evaluate("document.activeElement.blur()")
    page.locator(".stu summary").click()
    for study in ("bands", "rsi"):
        page.locator(f"[data-study={study}]").click()
    yield "indicators"
    page.keyboard.press("Escape")
    yield "refusal"
    for key, name in (("a", "alert"), ("n", "note"), ("?", "keys")):
        page.keyboard.press(key)
        expect(page.locator("#sheet")).to_be_visible()
        yield name
        if name == "note":
            page.locator("#f-note").fill("Bought the fall too early: the tape had not turned. #patience")
            page.locator("#sheet .btn").click()
        else:
            page.keyboard.press("Escape")
        expect(page.locator("#sheet")).to_be_hidden()  # a key that came sooner would go to the sheet


def _phone_desk(page: Page) -> Iterator[str]:
    page.locator(".go-b").click()
    _ask(page, "sell", "9000", "")
    yield "ticket-refused"
    _ask(page, "buy", "300", _below(page, 0.002))
    page.locator("#legs summary").click()
    yield "ticket-legs"
    page.locator("#legs summary").click()
    page.locator("#submit").click()
    expect(page.locator("#ticket")).to_be_hidden()
    page.locator(".go-b").click()
    _ask(page, "buy", "300", "")
    yield "ticket"
    page.locator("#submit").click()
    expect(page.locator("#ticket")).to_be_hidden()
    page.wait_for_timeout(SETTLE_MS)
    yield "desk"
    for name in ("watch", "orders"):
        page.locator(f".p-nav [data-go={name}]").click()
        page.wait_for_timeout(SETTLE_MS // 4)
        yield f"desk-{name}"
    page.locator("#t-fills").click()
    page.locator("#fills tbody tr").first.click()
    expect(page.locator("#drawer .dr-say")).to_be_visible()
    yield "receipt"


def _trade(page: Page) -> None:
    """A few holdings and an order that rests."""
    for row, qty in ((3, "400"), (9, "300"), (14, "200"), (21, "1000"), (6, "600")):
        page.locator(".wl").nth(row).click()
        _ask(page, "buy", qty, "")
        page.locator("#submit").click()
        expect(page.locator("#f-qty")).to_have_value("")
    _ask(page, "buy", "500", _below(page, 0.003))
    page.locator("#submit").click()
    expect(page.locator("#f-qty")).to_have_value("")


def _ask(page: Page, side: str, qty: str, price: str) -> None:
    """Fill the ticket in and wait for what it says; no price means a market order."""
    page.locator(f"#ticket .s-{side}").click()
    page.locator(f"[data-type={'limit' if price else 'market'}]").click()
    if price:
        page.locator("#f-price").fill(price)
    page.locator("#f-qty").fill(qty)
    expect(page.locator("#outcome :is(.led, .refuse)").first).to_be_visible()
    page.wait_for_timeout(SETTLE_MS // 2)


def _below(page: Page, share: float) -> str:
    """A price that much below the best bid, for looks only."""
    bid = float(re.sub(r"[^\d.]", "", page.locator(".ticket [data-touch=bid]").inner_text()))
    return f"{bid * (1 - share):.2f}"
