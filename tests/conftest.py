"""What every test may use: see `tests.services` for the fixtures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simgame.bootstrap import chromium as browser
from simgame.kernel import collector
from trading import portfolios

pytest_plugins = ["tests.services", "tests.live"]  # one game for every room that plays it


def pytest_collection_finish() -> None:
    """What was imported stays: the collector need not look at it again and again."""
    collector.set_aside()


@pytest.fixture(autouse=True)
def _numbers_begin_again() -> Iterator[None]:
    """Each test makes the portfolios 1, 2, … anew: nobody may remember those of the last one."""
    yield
    portfolios.forget()


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
