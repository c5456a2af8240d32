"""`bench pages`: what the landing page and the desk cost a browser, in a real Chromium, on a game that runs.

First paint, layout shift, long tasks while the market moves, and the script that was sent (as gzip packs
it). With `--lighthouse FOLDER`, a folder where you let npm install Lighthouse, its three scores too: it is
no dependency of ours.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ops import gallery
from ops.load.bench import Report, Say, machine
from simgame.bootstrap import chromium

try:
    from playwright.sync_api import Page, expect, sync_playwright
except ImportError:  # only in development
    sync_playwright = None  # type: ignore[assignment]

HELP = "first paint, long tasks, script and Lighthouse's scores of landing and desk, on a running game"

SWITCHES: Final = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
LONG_MS: Final = 50  # a task that lasts longer is felt
PATIENCE_MS: Final = 90_000
LIGHTHOUSE_S: Final = 300
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
    parser.add_argument(
        "--lighthouse", type=Path, default=None, help="folder with Lighthouse in node_modules"
    )


def run(options: dict[str, Any], say: Say) -> Report:
    program = chromium.find()
    if sync_playwright is None or program is None:
        raise RuntimeError("Playwright and Chromium are needed: the development requirements, and chromium.")
    try:
        address = options["address"] or gallery.running()
    except gallery.CannotPicture as why:
        raise RuntimeError(str(why)) from why
    pages: Report = {}
    with _browser(program) as page:
        scripts = _scripts(page)
        pages["landing"] = _watched(page, f"{address}/", options["seconds"], scripts, say)
        page.locator(".l-go .btn").click()
        expect(page.locator("#badge")).to_have_attribute("data-state", "live", timeout=PATIENCE_MS)
        pages["desk"] = _watched(page, page.url, options["seconds"], scripts, say)
        cookies = "; ".join(f"{one['name']}={one['value']}" for one in page.context.cookies())
    if options["lighthouse"]:
        for name, path, cookie in (("landing", "/", ""), ("desk", "/desk/", cookies)):
            say(f"Lighthouse: {name}")
            pages[name] |= _lighthouse(options["lighthouse"], program, address + path, cookie)
    return {"bench": "pages", "machine": machine(), "seconds": options["seconds"], "ours": pages}


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


def _watched(page: Page, url: str, seconds: int, scripts: dict[str, int], say: Say) -> Report:
    say(f"watching {url} for {seconds} s")
    scripts.clear()
    page.goto(url)
    page.wait_for_load_state("load")
    loaded = page.evaluate("() => performance.now()")
    page.wait_for_timeout(seconds * 1000)
    tasks, shift, _now = page.evaluate(WROTE)
    after = [length for start, length in tasks if start > loaded]
    return {
        "first_paint_ms": round(page.evaluate(PAINT) or 0),
        "script_gzip_kb": round(sum(scripts.values()) / 1000, 1),
        "layout_shift": round(shift, 4),
        "long_tasks_while_loading": len(tasks) - len(after),
        "long_tasks_after": len([length for length in after if length > LONG_MS]),
        "longest_task_after_ms": round(max(after, default=0)),
    }


def _lighthouse(folder: Path, program: str, url: str, cookie: str) -> Report:
    with tempfile.TemporaryDirectory() as home:
        headers = Path(home) / "headers.json"
        headers.write_text(json.dumps({"Cookie": cookie} if cookie else {}), encoding="utf-8")
        began = time.monotonic()
        done = subprocess.run(
            [
                "node",
                str(folder / "node_modules" / "lighthouse" / "cli" / "index.js"),
                url,
                "--preset=desktop",
                "--quiet",
                "--output=json",
                f"--only-categories={','.join(SCORES)}",
                f"--extra-headers={headers}",
                f"--chrome-flags=--headless=new {' '.join(SWITCHES)}",
            ],
            env={"CHROME_PATH": program, "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home},
            capture_output=True,
            text=True,
            timeout=LIGHTHOUSE_S,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"Lighthouse could not finish: {done.stderr[-400:]}")
    told = json.loads(done.stdout)
    scores = {f"lighthouse_{name}": round(100 * (told["categories"][name]["score"] or 0)) for name in SCORES}
    failed = sorted(
        name
        for name, audit in told["audits"].items()
        if audit["score"] is not None and audit["score"] < 0.9 and audit["scoreDisplayMode"] == "binary"
    )
    return {**scores, "lighthouse_s": round(time.monotonic() - began), "lighthouse_failed": failed}


def table(result: Report) -> str:
    names = list(result["ours"])
    rows = [f"{'':<28}" + "".join(f"{name:>14}" for name in names)]
    for key in result["ours"][names[0]]:
        values = [result["ours"][name].get(key, "") for name in names]
        rows.append(f"{key:<28}" + "".join(f"{value!s:>14}" for value in values))
    return "\n".join(rows)
