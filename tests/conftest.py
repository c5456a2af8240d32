"""What every test may use: see `tests.services` for the fixtures."""

from __future__ import annotations

import pytest

from simgame.bootstrap import chromium as browser

pytest_plugins = ["tests.services"]


@pytest.fixture(scope="session")
def chromium() -> str:
    found = browser.find()
    if found is None:
        pytest.skip("no Chromium on this machine (install the package chromium)")
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A browser test that did not run is said aloud, not buried among the skipped."""
    silent = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if getattr(report, "keywords", {}).get("browser")
    ]
    if silent:
        terminalreporter.write_line(f"BROWSER TESTS DID NOT RUN: {len(silent)} skipped.", red=True, bold=True)
