"""What staff see, for `manage.py screenshots --staff`: lists, questions before an act, the banner.

Nothing is changed: every question is left with its answer not given. Looking as a player is on record, as
always.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from playwright.sync_api import Page, expect

LISTS: Final = {
    "admin": "/admin/",
    "admin-players": "/admin/accounts/player/",
    "admin-audit": "/admin/accounts/auditentry/",
    "admin-dead-letters": "/admin/ops/deadletter/",
    "admin-proposals": "/admin/trading/proposal/",
    "admin-propose": "/admin/trading/proposal/add/",
}
PLAYERS: Final = LISTS["admin-players"] + "?q=player_"  # whom the tours before made
ADMIN: Final = re.compile(r"https?://[^/?]+/admin/")
REASON: Final = "Pictures of the banner"


class NotStaff(Exception):
    """The admin does not open to this person with this password."""


def tour(
    name: str, password: str, opened: Callable[[Page, str], None]
) -> Callable[[Page, bool], Iterator[str]]:
    """A chapter of the tour; `opened` brings a page to stand."""

    def walk(page: Page, _phone: bool) -> Iterator[str]:
        page.context.clear_cookies()
        sign_in(page, name, password)
        for picture, path in LISTS.items():
            opened(page, path)
            yield picture
        opened(page, PLAYERS)
        page.locator("tbody .action-select").first.check()
        page.locator("select[name=action]").select_option("export_csv")
        yield "admin-export"
        for action, list_, picture in (
            ("deactivate", PLAYERS, "admin-sure"),
            ("set_aside", LISTS["admin-dead-letters"], "admin-set-aside"),
            ("halt", "/admin/trading/listing/", "admin-halt"),
        ):
            opened(page, list_)
            if page.locator("tbody .action-select").count():
                _act(page, action)
                yield picture
        opened(page, LISTS["admin-proposals"])
        if page.locator("#result_list tbody th a").count():
            page.locator("#result_list tbody th a").first.click()
            expect(page.locator("#proposal")).to_be_visible()
            yield "admin-proposal"
        yield from _as_a_player(page, opened)

    return walk


def sign_in(page: Page, name: str, password: str) -> None:
    """Raises NotStaff when the admin does not open."""
    page.goto("/login/?next=/admin/")
    page.locator("[name=username]").fill(name)
    page.locator("[name=password]").fill(password)
    with page.expect_navigation():
        page.locator("form.form .btn").click()
    if not ADMIN.match(page.url):
        raise NotStaff(name)


def _act(page: Page, action: str) -> None:
    """Choose the first row and start an action, which asks."""
    page.locator("tbody .action-select").first.check()
    page.locator("select[name=action]").select_option(action)
    page.locator("button[name=index]").click()
    expect(page.locator(".cancel-link")).to_be_visible()


def _as_a_player(page: Page, opened: Callable[[Page, str], None]) -> Iterator[str]:
    opened(page, PLAYERS)
    _act(page, "look_as")
    yield "admin-look-as"
    page.locator("#reason").fill(REASON)
    page.locator("#content input[type=submit]").click()
    page.wait_for_url(re.compile("/desk/"))
    for picture, path in {"desk-acting": "/desk/", "portfolio-acting": "/portfolio/"}.items():
        opened(page, path)
        yield picture
    page.locator(".acting button").click()
    page.wait_for_url(ADMIN)
