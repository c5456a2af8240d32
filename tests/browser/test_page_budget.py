"""What a page may cost a browser, as far as it can be held without a clock."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from simgame import bundle
from tests.browser import people
from tests.browser.conftest import Visiting

SCRIPT_KB = 150  # of the desk with everything that it fetches later
AT_ONCE_KB = 60  # of what it needs before it moves
SHIFT = 0.05  # half of what is still called good (https://web.dev/articles/cls)
packed = pytest.mark.skipif(not settings.PACKED, reason="The pages are not packed: python3 manage.py setup")
WATCH_SHIFT = """window.shift = 0;
new PerformanceObserver((list) => list.getEntries().forEach((one) => { window.shift += one.value; }))
  .observe({ type: "layout-shift", buffered: true });"""


def size_kb(files: list[str]) -> float:
    return sum(len(gzip.compress((settings.BUNDLE_DIR / file).read_bytes())) for file in files) / 1_000


@packed
@pytest.mark.parametrize("page", ["js/desk.js", "js/landing.js"])
def test_script_within_the_budget_and_the_chart_is_not_in_the_way(page: str) -> None:
    begin, chart = settings.PACKED[page], settings.PACKED["js/chart.js"]
    first = {begin["file"], *begin["needs"], settings.PACKED["js/appearance.js"]["file"]}
    everything = first | {chart["file"], *chart["needs"]}
    assert chart["file"] not in first
    assert size_kb(sorted(first)) < AT_ONCE_KB
    assert size_kb(sorted(everything)) < SCRIPT_KB


@packed
@pytest.mark.django_db
def test_nothing_but_one_style_sheet_holds_up_the_first_paint(client: Client) -> None:
    html = client.get("/register/").content.decode()
    head = html.partition("</head>")[0]
    sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)"', head)
    assert len(sheets) == 1
    assert [tag for tag in re.findall(r"<script[^>]*src=[^>]*>", html) if 'type="module"' not in tag] == []
    fetched = re.findall(r'(?:src|href)="(/static/bundle/[^"]+)"', html)
    assert sheets[0] in fetched
    for address in fetched:
        answer = client.get(address, headers={"accept-encoding": "br"})
        assert answer.status_code == 200, address
        assert "immutable" in answer["Cache-Control"], address
        assert address.endswith(".woff2") or answer["Content-Encoding"] == "br", address


def test_a_script_that_was_edited_is_never_hidden_by_an_older_pack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle.env, "BASE_DIR", tmp_path)
    for folder in bundle.SOURCES:
        (tmp_path / folder).mkdir(parents=True)
    script, pack = tmp_path / "static" / "js" / "desk.js", tmp_path / "bundle"
    script.write_text("one", encoding="utf-8")
    pack.mkdir()
    made = {"js/desk.js": {"file": "desk-1.js", "needs": []}}
    (pack / bundle.MANIFEST).write_text(json.dumps(made), encoding="utf-8")
    (pack / bundle.STAMP).write_text(bundle.digest(), encoding="ascii")
    assert "js/desk.js" in bundle.manifest(pack)
    script.write_text("two", encoding="utf-8")
    assert bundle.manifest(pack) == {}


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("phone", [False, True])
def test_nothing_moves_under_the_pointer_while_a_page_fills(visit: Visiting, phone: bool) -> None:
    page = visit(phone=phone).page
    page.add_init_script(WATCH_SHIFT)
    for path, last in (("/", "#board tbody tr" if phone else "#picture canvas"), ("/desk/", "#chart canvas")):
        page.goto(path)
        page.locator(last).last.wait_for(state="attached")
        assert page.evaluate("window.shift") < SHIFT, path
        if path == "/":
            people.play_now(page)
