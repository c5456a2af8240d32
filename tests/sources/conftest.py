"""Venues for the sources' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.venues.process import Street


@pytest.fixture(scope="session")
def street() -> Iterator[Street]:
    running = Street()
    yield running
    running.close()
