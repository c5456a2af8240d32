"""`bench pages`: what the landing page and the desk cost a browser, in a real Chromium, on a game that runs.

First paint, layout shift, script (as gzip packs it), and from Chromium's trace (`page_trace`) the tasks of
the main thread while the page loads and while the market moves, how many rows came, and what took the time.
A market that is too quiet is topped up to `--ticks` rows a second in the page (`more_ticks.js`).
With `--lighthouse` its three scores too, for desktop and phone (`page_audit`).
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, Final

from ops import gallery
from ops.load import page_audit, page_trace
from ops.load.bench import Report, Say, machine, positive_int
from simgame.bootstrap import chromium

try:
    from playwright.sync_api import Error, Page, expect, sync_playwright
except ImportError:  # only in development
    sync_playwright = None  # type: ignore[assignment]

HELP = "first paint, long tasks, script and Lighthouse's scores of landing and desk, on a running game"

PATIENCE_MS: Final = 90_000
SETTLED_MS: Final = 2_000  # from the first drawn chart to the first mark
MORE_TICKS: Final = Path(__file__).with_name("more_ticks.js")
MARKS: Final = ("bench-first", "bench-last")
WATCH: Final = """
window.shift = 0;
new PerformanceObserver((list) => list.getEntries().forEach((one) => { if (!one.hadRecentInput) window.shift += one.value; }))
  .observe({ type: "layout-shift", buffered: true });"""  # noqa: E501
PAINT: Final = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
TOPPED: Final = "() => window.toppedRows"
SHIFT: Final = "() => window.shift"
MARK: Final = "(name) => performance.mark(name)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--address", default="", help="of the game (default: the one of this checkout)")
    parser.add_argument("--seconds", type=positive_int, default=20, help="how long each page is watched")
    parser.add_argument(
        "--ticks", type=positive_int, default=50, help="rows a second, topped up if fewer come"
    )
    parser.add_argument("--lighthouse", action="store_true", help="its scores too (npm fetches it once)")
    parser.add_argument(
        "--runs", type=positive_int, default=3, help="of Lighthouse a page; their medians are told"
    )


def run(options: dict[str, Any], say: Say) -> Report:
    program = chromium.find()
    if sync_playwright is None or program is None:
        raise RuntimeError("Playwright and Chromium are needed: the development requirements, and chromium.")
    try:
        address = options["address"] or gallery.running()
    except gallery.CannotPicture as why:
        raise RuntimeError(str(why)) from why
    lighthouse = page_audit.installed(say) if options["lighthouse"] else None
    try:
        pages, cookies = _look(program, address.rstrip("/"), options, say)
    except Error as why:
        raise RuntimeError(f"The browser could not finish: {why}") from why
    if lighthouse:
        told = product((("landing", "/", []), ("desk", "/desk/", cookies)), page_audit.PRESETS)
        for (name, path, guest), preset in told:
            say(f"Lighthouse: {name}, {preset}, {options['runs']} times")
            url = address.rstrip("/") + path
            pages[name] |= page_audit.audited(lighthouse, program, url, guest, preset, options["runs"])
    return {"bench": "pages", "machine": machine(), "seconds": options["seconds"], "ours": pages}


def _look(program: str, address: str, options: dict[str, Any], say: Say) -> tuple[Report, list[Any]]:
    """Both pages in a browser; and the cookies of the guest who played. Raises playwright's errors."""
    pages: Report = {}
    seconds = options["seconds"]
    with _browser(program) as page:
        page.add_init_script(MORE_TICKS.read_text(encoding="utf-8").replace("WANTED", str(options["ticks"])))
        scripts, rows = _scripts(page), _rows(page)
        pages["landing"] = _watched(page, f"{address}/", seconds, scripts, rows, say)
        page.locator(".l-go .btn").click()
        expect(page.locator("#badge")).to_have_attribute("data-state", "live", timeout=PATIENCE_MS)
        pages["desk"] = _watched(page, page.url, seconds, scripts, rows, say)
        return pages, list(page.context.cookies())


@contextmanager
def _browser(program: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=page_audit.SWITCHES)
        context = browser.new_context(
            viewport={"width": 1440, "height": 900}, locale="en", service_workers="block"
        )
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(WATCH)
        yield context.new_page()
        browser.close()


def _scripts(page: Page) -> dict[str, int]:
    """Address → bytes of each script that the page loads, as gzip packs it; filled while pages are seen."""
    seen: dict[str, int] = {}

    def note(response: Any) -> None:
        if response.request.resource_type == "script" and response.ok:
            seen[response.url] = len(gzip.compress(response.body()))

    page.on("response", note)
    return seen


def _rows(page: Page) -> list[int]:
    """How many rows each frame of the stream brought: quotes one by one, books, trades, bars."""
    seen: list[int] = []

    def note(frame: str | bytes) -> None:
        said = json.loads(frame)
        for message in said if isinstance(said, list) else [said]:
            data = message.get("data")
            seen.append(len(data) if data and message["topic"].startswith("board:") else int(bool(data)))

    page.on("websocket", lambda socket: socket.on("framereceived", note))
    return seen


def _watched(
    page: Page, url: str, seconds: int, scripts: dict[str, int], rows: list[int], say: Say
) -> Report:
    say(f"watching {url} for {seconds} s")
    scripts.clear()
    browser = page.context.browser
    assert browser is not None
    browser.start_tracing(page=page, categories=page_trace.CATEGORIES)
    page.goto(url)
    page.locator(".chart canvas").first.wait_for(state="attached")
    page.wait_for_timeout(SETTLED_MS)
    page.evaluate(MARK, MARKS[0])
    topped = page.evaluate(TOPPED)
    rows.clear()
    page.wait_for_timeout(seconds * 1000)
    page.evaluate(MARK, MARKS[1])
    came, topped = sum(rows), page.evaluate(TOPPED) - topped
    trace = json.loads(browser.stop_tracing())
    return {
        "first_paint_ms": round(page.evaluate(PAINT) or 0),
        "script_gzip_kb": round(sum(scripts.values()) / 1000, 1),
        "layout_shift": round(page.evaluate(SHIFT), 4),
        "rows_per_s": round((came + topped) / seconds),
        "of_them_topped_up": round(topped / seconds),
        **page_trace.told(trace["traceEvents"], MARKS),
    }


def table(result: Report) -> str:
    names = list(result["ours"])
    rows = [f"{'':<28}" + "".join(f"{name:>14}" for name in names)]
    for key in result["ours"][names[0]]:
        values = [result["ours"][name].get(key, "") for name in names]
        if any(isinstance(value, str) and " " in value for value in values):
            rows += [
                f"{key:<28}  {name}: {value}" for name, value in zip(names, values, strict=True) if value
            ]
        else:
            rows.append(f"{key:<28}" + "".join(f"{value!s:>14}" for value in values))
    return "\n".join(rows)
