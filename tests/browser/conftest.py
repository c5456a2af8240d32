"""A real Chromium in front of a real game."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.live import LiveGame

SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
WIDE = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    """Playwright's event loop runs in this thread, so it must be gone before other rooms' tests."""
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A person's browser window, and what went wrong in it."""

    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)
    forgiven: tuple[str, ...] = ()

    def forgive(self, *words: str) -> None:
        """Complaints with these words are meant to happen in this test."""
        self.forgiven = (*self.forgiven, *words)

    def unforgiven(self) -> list[str]:
        return [text for text in self.complaints if not any(word in text for word in self.forgiven)]


Visiting = Callable[..., Visit]


@pytest.fixture
def visit(browser: Browser, live_game: LiveGame) -> Iterator[Visiting]:
    """`visit(phone=False, **options)` opens a window; nothing may complain in its console."""
    visits: list[Visit] = []

    def opened(*, phone: bool = False, **options: object) -> Visit:
        size = {"viewport": PHONE, "is_mobile": True, "has_touch": True} if phone else {"viewport": WIDE}
        defaults = {
            "base_url": live_game.address,
            "locale": "en",
            "color_scheme": "dark",
            "reduced_motion": "reduce",
        }
        context = browser.new_context(**{**defaults, **size, **options})
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        made = Visit(context, page)
        page.on("pageerror", lambda error: made.complaints.append(f"error: {error}"))
        page.on("console", lambda said: _note(made, said.type, said.text))
        visits.append(made)
        return made

    yield opened
    for made in visits:
        made.context.close()
        assert made.unforgiven() == []


def _note(made: Visit, kind: str, text: str) -> None:
    if kind == "error" or text.startswith("untranslated"):
        made.complaints.append(f"{kind}: {text}")
