from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings

from simgame.embedded import Embedded
from tests.scenarios import shanghai
from tests.scenarios.town import Town

SHARED = settings.BASE_DIR.parent / "shared" / "data"
REAL = {
    "binance": "cryptofeed_raw/BINANCE.0",
    "rb1910": "ctp_ticks_shfe/rb1910.csv",
    "lobster": "lobster_aapl",
}


@pytest.fixture(scope="package")
def town(services: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    town = Town(tmp_path_factory.mktemp("town"), settings.TEST_SERVER_URL, settings.TEST_REDIS_URL)
    recordings = {"shanghai": shanghai.record(tmp_path_factory.mktemp("recording"))}
    recordings |= {name: SHARED / place for name, place in REAL.items() if (SHARED / place).exists()}
    try:
        town.found(recordings)
        yield town
    finally:
        town.close()


@pytest.fixture
def seeded(town: Town) -> str:
    """The seeded world, trading under its plain rules. Its slug."""
    return town.play_seeded("plain")
