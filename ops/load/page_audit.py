"""Lighthouse on one page, some times over: scores, figures, and where the points went.

npm installs it into the home at the first time (`ops/load/lighthouse/`); `play` never does. A desktop is its
own preset: 1,350 px, 40 ms away, 10 Mbit/s, the processor as it is. A phone is its default: 412 px, 150 ms
away, 1.6 Mbit/s, the processor four times slower than here.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from ops.load.bench import Report, Say
from simgame.bootstrap import extras

try:
    from playwright.sync_api import sync_playwright
except ImportError:  # only in development
    sync_playwright = None  # type: ignore[assignment]

SWITCHES: Final = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
LIGHTHOUSE: Final = Path(__file__).parent / "lighthouse"
LIGHTHOUSE_S: Final = 300
INSTALL_S: Final = 600
PRESETS: Final = {"desktop": ("--preset=desktop",), "phone": ()}
SCORES: Final = ("performance", "accessibility", "best-practices")
FIGURES: Final = {
    "first-contentful-paint": "first_paint_ms",
    "largest-contentful-paint": "largest_paint_ms",
    "speed-index": "speed_index_ms",
    "total-blocking-time": "blocking_ms",
    "server-response-time": "server_ms",
}
SHORT: Final = {"cumulative-layout-shift": "shift"}
TOLD: Final = 4  # contributors of a kind


def installed(say: Say) -> Path:
    """The folder that holds Lighthouse. Raises RuntimeError."""
    target = Path(settings.HOME) / "lighthouse"
    if not extras.is_installed(LIGHTHOUSE, target):
        say("npm fetches Lighthouse (about 190 MB)")
        complaint = extras.npm_ci(LIGHTHOUSE, target, INSTALL_S)
        if complaint:
            raise RuntimeError(f"npm could not fetch Lighthouse: {complaint}")
    return target


def audited(folder: Path, program: str, url: str, cookies: list[Any], preset: str, runs: int) -> Report:
    """Medians of `runs` visits, each in a browser of its own in which the guest is signed in."""
    loads, reports = [], []
    for _run in range(runs):
        loads.append(os.getloadavg()[0])
        reports.append(_visit(folder, program, url, cookies, preset))
    return {f"{preset}_{name}": value for name, value in {**told(reports), "load": _span(loads)}.items()}


def _visit(folder: Path, program: str, url: str, cookies: list[Any], preset: str) -> Any:
    with tempfile.TemporaryDirectory() as home, socket.socket() as probe, sync_playwright() as playwright:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
        probe.close()
        switches = [*SWITCHES, f"--remote-debugging-port={port}"]
        browser = playwright.chromium.launch_persistent_context(home, executable_path=program, args=switches)
        browser.add_cookies(cookies)
        report = _audit(folder, url, port, preset)
        browser.close()
    return report


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


def told(reports: list[Any]) -> Report:
    """Medians of Lighthouse's reports on one page; contributors are those of the middle one."""
    ordered = sorted(reports, key=lambda one: one["categories"]["performance"]["score"] or 0)
    middle = ordered[(len(ordered) - 1) // 2]
    scores = {
        name.replace("-", "_"): _median(100 * (one["categories"][name]["score"] or 0) for one in reports)
        for name in SCORES
    }
    figures = {
        short: _median(one["audits"][name].get("numericValue", 0) for one in reports)
        for name, short in FIGURES.items()
    }
    return {
        **scores,
        "performances": " ".join(
            str(round(100 * (one["categories"]["performance"]["score"] or 0))) for one in reports
        ),
        **figures,
        "lost": _lost(middle),
        "main_thread": _main_thread(middle),
        "would_save": _would_save(middle),
        "failed": " ".join(_failed(middle)),
    }


def _median(values: Any) -> int:
    return round(statistics.median(values))


def _span(loads: list[float]) -> str:
    return f"{min(loads):.1f} to {max(loads):.1f}"


def _lost(report: Any) -> str:
    """Points of the hundred that each figure cost, the dearest first."""
    refs = [ref for ref in report["categories"]["performance"]["auditRefs"] if ref["weight"]]
    lost = [(ref["weight"] * (1 - (report["audits"][ref["id"]]["score"] or 0)), ref["id"]) for ref in refs]
    names = {**FIGURES, **SHORT}
    return ", ".join(
        f"{names.get(name, name).removesuffix('_ms')} {points:.0f}"
        for points, name in sorted(lost, reverse=True)
        if points >= 0.5
    )


def _main_thread(report: Any) -> str:
    rows = report["audits"]["mainthread-work-breakdown"]["details"]["items"]
    largest = sorted(rows, key=lambda row: -row["duration"])[:TOLD]
    return ", ".join(f"{row['groupLabel']} {row['duration']:.0f} ms" for row in largest)


def _would_save(report: Any) -> str:
    """The audits whose mending would gain most, in ms of paint or of blocking."""
    saved = [
        (max(one["metricSavings"].values()), name)
        for name, one in report["audits"].items()
        if one.get("metricSavings") and one["score"] is not None and one["score"] < 1
    ]
    largest = sorted(saved, reverse=True)[:TOLD]
    return ", ".join(f"{name} {gain:.0f}" for gain, name in largest if gain >= 1)


def _failed(report: Any) -> list[str]:
    return sorted(
        name
        for name, audit in report["audits"].items()
        if audit["score"] is not None and audit["score"] < 0.9 and audit["scoreDisplayMode"] == "binary"
    )
