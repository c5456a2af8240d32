"""`bench pages`: what the landing page and the desk cost a browser, in a real Chromium, on a game that runs.

First paint, layout shift, long tasks while the market moves, how many rows of quotes came meanwhile, and the
script that was sent (as gzip packs it). With `--lighthouse` its three scores too, for phone and desktop:
npm installs it into the home at the first time (`ops/load/lighthouse/`); `play` never does.
"""

from __future__ import annotations

import argparse
import gzip
import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from ops import gallery
from ops.load.bench import Report, Say, machine
from simgame.bootstrap import chromium, extras

try:
    from playwright.sync_api import Error, Page, expect, sync_playwright
except ImportError:  # only in development
    sync_playwright = None  # type: ignore[assignment]

HELP = "first paint, long tasks, script and Lighthouse's scores of landing and desk, on a running game"

SWITCHES: Final = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
LONG_MS: Final = 50  # a task that lasts longer is felt
PATIENCE_MS: Final = 90_000
LIGHTHOUSE_S: Final = 300
LIGHTHOUSE: Final = Path(__file__).parent / "lighthouse"
INSTALL_S: Final = 600
PRESETS: Final = {"phone": (), "desktop": ("--preset=desktop",)}  # the first is Lighthouse’s own default
SCORES: Final = ("performance", "accessibility", "best-practices")
WATCH: Final = """
window.longTasks = [];
new PerformanceObserver((list) => list.getEntries().forEach((one) => window.longTasks.push([one.startTime, one.duration])))
  .observe({ type: "longtask", buffered: true });
window.shift = 0;
new PerformanceObserver((list) => list.getEntries().forEach((one) => { if (!one.hadRecentInput) window.shift += one.value; }))
  .observe({ type: "layout-shift", buffered: true });"""  # noqa: E501
PAINT: Final = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
WROTE: Final = "() => [window.longTasks, window.shift, performance.now()]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--address", default="", help="of the game (default: the one of this checkout)")
    parser.add_argument("--seconds", type=int, default=20, help="how long each page is watched")
    parser.add_argument("--lighthouse", action="store_true", help="its scores too (npm fetches it once)")


def run(options: dict[str, Any], say: Say) -> Report:
    program = chromium.find()
    if sync_playwright is None or program is None:
        raise RuntimeError("Playwright and Chromium are needed: the development requirements, and chromium.")
    try:
        address = options["address"] or gallery.running()
    except gallery.CannotPicture as why:
        raise RuntimeError(str(why)) from why
    lighthouse = _installed(say) if options["lighthouse"] else None
    try:
        pages, cookies = _look(program, address.rstrip("/"), options["seconds"], say)
    except Error as why:
        raise RuntimeError(f"The browser could not finish: {why}") from why
    if lighthouse:
        told = product((("landing", "/", []), ("desk", "/desk/", cookies)), PRESETS)
        for (name, path, guest), preset in told:
            say(f"Lighthouse: {name}, {preset}")
            pages[name] |= _lighthouse(lighthouse, program, address.rstrip("/") + path, guest, preset)
    return {"bench": "pages", "machine": machine(), "seconds": options["seconds"], "ours": pages}


def _installed(say: Say) -> Path:
    """The folder that holds Lighthouse. Raises RuntimeError."""
    target = Path(settings.HOME) / "lighthouse"
    if not extras.is_installed(LIGHTHOUSE, target):
        say("npm fetches Lighthouse (about 190 MB)")
        complaint = extras.npm_ci(LIGHTHOUSE, target, INSTALL_S)
        if complaint:
            raise RuntimeError(f"npm could not fetch Lighthouse: {complaint}")
    return target


def _look(program: str, address: str, seconds: int, say: Say) -> tuple[Report, list[Any]]:
    """Both pages in a browser; and the cookies of the guest who played. Raises playwright's errors."""
    pages: Report = {}
    with _browser(program) as page:
        scripts, rows = _scripts(page), _rows(page)
        pages["landing"] = _watched(page, f"{address}/", seconds, scripts, rows, say)
        page.locator(".l-go .btn").click()
        expect(page.locator("#badge")).to_have_attribute("data-state", "live", timeout=PATIENCE_MS)
        pages["desk"] = _watched(page, page.url, seconds, scripts, rows, say)
        return pages, list(page.context.cookies())


@contextmanager
def _browser(program: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=SWITCHES)
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
    page.goto(url)
    page.wait_for_load_state("load")
    loaded = page.evaluate("() => performance.now()")
    rows.clear()
    page.wait_for_timeout(seconds * 1000)
    tasks, shift, _now = page.evaluate(WROTE)
    after = [length for start, length in tasks if start > loaded]
    return {
        "first_paint_ms": round(page.evaluate(PAINT) or 0),
        "script_gzip_kb": round(sum(scripts.values()) / 1000, 1),
        "layout_shift": round(shift, 4),
        "rows_per_s": round(sum(rows) / seconds),
        "long_tasks_while_loading": len(tasks) - len(after),
        "long_tasks_after": len([length for length in after if length > LONG_MS]),
        "longest_task_after_ms": round(max(after, default=0)),
    }


def _lighthouse(folder: Path, program: str, url: str, cookies: list[Any], preset: str) -> Report:
    """Scores of a page in a browser of its own, in which the guest is signed in."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as home, socket.socket() as probe, sync_playwright() as playwright:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
        probe.close()
        switches = [*SWITCHES, f"--remote-debugging-port={port}"]
        browser = playwright.chromium.launch_persistent_context(home, executable_path=program, args=switches)
        browser.add_cookies(cookies)
        told = _audit(folder, url, port, preset)
        browser.close()
    scores = {f"{preset}_{name}": round(100 * (told["categories"][name]["score"] or 0)) for name in SCORES}
    failed = sorted(
        name
        for name, audit in told["audits"].items()
        if audit["score"] is not None and audit["score"] < 0.9 and audit["scoreDisplayMode"] == "binary"
    )
    return {**scores, f"{preset}_s": round(time.monotonic() - began), f"{preset}_failed": " ".join(failed)}


def _audit(folder: Path, url: str, port: int, preset: str) -> Any:
    """What Lighthouse says, decoded. Raises RuntimeError."""
    command = [
        "node",
        str(folder / "node_modules" / "lighthouse" / "cli" / "index.js"),
        url,
        *PRESETS[preset],
        "--quiet",
        "--output=json",
        f"--only-categories={','.join(SCORES)}",
        f"--port={port}",
        "--disable-storage-reset",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIGHTHOUSE_S, check=False)
    if done.returncode:
        raise RuntimeError(f"Lighthouse could not finish: {done.stderr[-400:]}")
    return json.loads(done.stdout)


def table(result: Report) -> str:
    names = list(result["ours"])
    rows = [f"{'':<28}" + "".join(f"{name:>14}" for name in names)]
    for key in result["ours"][names[0]]:
        values = [result["ours"][name].get(key, "") for name in names]
        rows.append(f"{key:<28}" + "".join(f"{value!s:>14}" for value in values))
    return "\n".join(rows)
