"""Venues for the sources' tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from market.sources.ctp import locales
from tests.venues.process import Street


@pytest.fixture(scope="package")
def street() -> Iterator[Street]:
    """Venues that never sleep: they close with this room, not with the whole run."""
    running = Street()
    yield running
    running.close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where CTP's locale is: it takes seconds to make, once is enough."""
    found = tmp_path_factory.mktemp("ctp")
    with suppress(locales.NoLocale):  # its own test says what is missing
        locales.environment(found)
    return found
